//! `/v1/operations` over a real socket.
