//! What plugins try, on every database, against the database alone.
