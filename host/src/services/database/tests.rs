//! The service as plugins meet it, on every database.
