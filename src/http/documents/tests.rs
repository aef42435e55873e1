//! What the documents say is what the code does, and what is committed is what the code says.
