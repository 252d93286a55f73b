//! The pipeline on scripted logits, and against what Python says of real models.

mod pipeline;
#[cfg(feature = "rten")]
mod reference;
