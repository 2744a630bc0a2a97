//! Where readings come from, and whom a person's wishes go to.


pub mod session;
