fn main() {
    let text = std::env::args().nth(1).unwrap();
    let t = std::time::Instant::now();
    let rt = if std::env::args().nth(2).as_deref() == Some("rten") { nerite::Runtime::Rten } else { nerite::Runtime::Auto };
    let r = nerite::Recognizer::builder().runtime(rt).build().unwrap();
    eprintln!("{} {:?}", r.engine(), t.elapsed());
    let t = std::time::Instant::now();
    for e in r.recognize(&text, "it").unwrap() { println!("{e}"); }
    eprintln!("{:?}", t.elapsed());
}
