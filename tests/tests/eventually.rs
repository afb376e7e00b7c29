//! Waiting for what comes true a moment later.

use std::time::Duration;

use tokio::time::timeout;

/// The longest that anything may take to come true.
const EVENTUALLY: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until it is true.
pub(crate) async fn eventually(what: &str, is_true: impl AsyncFn() -> bool) {
    assert!(comes_true(is_true).await, "in vain for {EVENTUALLY:?}: {what}");
}

/// Waits until it is true: whether it came to that.
pub(crate) async fn comes_true(is_true: impl AsyncFn() -> bool) -> bool {
    let coming_true = async {
        while !is_true().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    timeout(EVENTUALLY, coming_true).await.is_ok()
}
