//! The record against a naive model.
