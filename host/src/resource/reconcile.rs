//! Bringing resources about: asking their plugins, again and again, until what is there is what is wanted.

mod back_off;
mod outcome;
mod queue;
