//! Graph algorithms against models that compute each epoch's answer from the whole graph, against the
//! answers of other tools, and at the ends of what a graph can be.

#[path = "../child/mod.rs"]
mod child;
#[path = "../../operators/tests/support/mod.rs"]
mod support;

mod arrays;
mod between;
mod choices;
mod ends;
mod histories;
mod inputs;
mod large;
mod model;
mod page;
mod patterns;
mod real;
mod shapes;
mod temporal;
mod tool;
