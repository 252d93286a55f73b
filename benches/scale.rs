//! Is throughput flat in the size of the input, and how do many callers fare?
//!
//! ```sh
//! cargo bench --bench scale            # texts up to 1 MB, a stream of 4 MB
//! cargo bench --bench scale -- 100     # a stream of 100 MB: an hour
//! ```

mod articles;
mod memory;

use std::error::Error;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use articles::articles;
use memory::memory;
use nerite::Recognizer;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const CALLERS: usize = 16;
/// How long the callers call.
const CALLING: Duration = Duration::from_secs(10);
/// At least so long is each throughput measured.
const SPAN: Duration = Duration::from_secs(3);

/// Each engine in a process of its own, so that none finds memory that the other has left.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let megabytes = arguments.iter().find_map(|argument| argument.parse().ok());
    let Some(engine) = arguments.iter().find_map(|argument| argument.parse().ok()) else {
        for engine in ["ort", "rten"] {
            Command::new(env::current_exe()?)
                .args(&arguments)
                .arg(engine)
                .status()?;
        }
        return Ok(());
    };
    let recognizer = match Recognizer::builder().runtime(engine).build() {
        Ok(recognizer) => recognizer,
        Err(e) => {
            println!("{engine} is left out: {e}");
            return Ok(());
        }
    };
    println!("{}", recognizer.engine());
    let text = articles().join("\n\n") + "\n\n";
    recognizer.recognize(&text, "it")?;
    stream(&recognizer, &text, megabytes.unwrap_or(4) * MIB)?;
    sizes(&recognizer, &text)?;
    callers(&recognizer, &text)?;
    Ok(())
}

/// `text` again and again, until it has `bytes` bytes.
fn of_size(text: &str, bytes: usize) -> String {
    let mut long = text.repeat(bytes / text.len() + 1);
    long.truncate(long.floor_char_boundary(bytes));
    long
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn sizes(recognizer: &Recognizer, text: &str) -> Result<(), nerite::Error> {
    for size in [KIB, 10 * KIB, 100 * KIB, MIB] {
        let text = of_size(text, size);
        let (start, mut times) = (Instant::now(), 0);
        while times == 0 || start.elapsed() < SPAN {
            recognizer.recognize(&text, "it")?;
            times += 1;
        }
        let speed = (times * words(&text)) as f64 / start.elapsed().as_secs_f64();
        println!("  one text of {:>5} KiB: {speed:>7.0} words/s", size / KIB);
    }
    Ok(())
}

/// A stream of articles of 10 KiB.
fn stream(recognizer: &Recognizer, text: &str, bytes: usize) -> Result<(), nerite::Error> {
    let part = of_size(text, 10 * KIB);
    let count = bytes / part.len();
    let before = memory("VmRSS");
    let (mut most, start) = (before, Instant::now());
    for (_, result) in recognizer.stream((0..count).map(|_| part.clone()), "it") {
        result?;
        most = most.zip(memory("VmRSS")).map(|(most, now)| most.max(now));
    }
    let speed = (count * words(&part)) as f64 / start.elapsed().as_secs_f64();
    let grown = match (before, most) {
        (Some(before), Some(most)) => {
            format!("{:.1} MB more memory than before", (most - before) / 1e6)
        }
        _ => "memory is not known on this system".to_owned(),
    };
    println!(
        "  a stream of {:>4} MiB: {speed:>8.0} words/s, {grown}",
        bytes / MIB
    );
    Ok(())
}

/// Threads that recognise a sentence at a time without pause.
fn callers(recognizer: &Recognizer, text: &str) -> Result<(), nerite::Error> {
    let sentences: Vec<&str> = text
        .split(". ")
        .filter(|sentence| words(sentence) > 4)
        .collect();
    let over = AtomicBool::new(false);
    let call = |caller: usize| {
        let mut times = Vec::new();
        for sentence in sentences.iter().cycle().skip(caller * 7) {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let start = Instant::now();
            recognizer.recognize(sentence, "it")?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    };
    let start = Instant::now();
    let times = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| scope.spawn(move || call(caller)))
            .collect();
        thread::sleep(CALLING);
        over.store(true, Ordering::Relaxed);
        let join = |caller: thread::ScopedJoinHandle<'_, Result<Vec<f64>, nerite::Error>>| {
            caller.join().expect("no caller panics")
        };
        callers.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    let took = start.elapsed();
    let calls = times.iter().map(Vec::len);
    let (fewest, most) = (
        calls.clone().min().unwrap_or(0),
        calls.clone().max().unwrap_or(0),
    );
    let mut all: Vec<f64> = times.concat();
    all.sort_by(f64::total_cmp);
    println!(
        "  {CALLERS} callers: {:.0} sentences/s, p50 {:.1} ms, p99 {:.1} ms; between {fewest} and {most} calls each",
        all.len() as f64 / took.as_secs_f64(),
        all[all.len() / 2],
        all[all.len() * 99 / 100],
    );
    Ok(())
}
