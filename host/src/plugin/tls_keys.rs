//! The process-wide pthread keys, and whose they are.
//!
//! Every loaded copy of Rust's std takes one of the process's 1 024 keys and never gives it back, so a
//! daemon that swaps plugins would abort near the thousandth load. This binary therefore exports its own
//! `pthread_key_create` and `pthread_key_delete`: they forward to the C library and keep a ledger of each
//! key with its destructor. After a generation's threads are joined and before its library is closed,
//! [`delete_keys_of`] gives back the keys whose destructor lies in that library.
//!
//! Both functions must be wrapped: with deletions unseen, a stale row would delete a neighbor's key.
//! Keys without a destructor cannot be attributed; Rust's std makes none.
#![expect(unsafe_code, reason = "wraps two functions of the C library for the whole process")]

use std::ffi::{CStr, c_int, c_void};
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many keys a process may have.
const KEYS_MAX: usize = 1024;

type Destructor = unsafe extern "C" fn(*mut c_void);
type Create = unsafe extern "C" fn(*mut libc::pthread_key_t, Option<Destructor>) -> c_int;
type Delete = unsafe extern "C" fn(libc::pthread_key_t) -> c_int;

/// One key that is in use.
struct Row {
    key: libc::pthread_key_t,
    destructor_address: usize,
}

static LEDGER: Mutex<Vec<Row>> = Mutex::new(Vec::new());

fn ledger() -> MutexGuard<'static, Vec<Row>> {
    // A panic cannot leave a row half-written; the rows stay true.
    LEDGER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many keys can still be made.
pub(crate) fn n_free() -> usize {
    KEYS_MAX.saturating_sub(ledger().len())
}

/// Deletes the keys whose destructor lies in one of `code`, and says how many there were.
///
/// The caller has joined every thread that ran this code, so no value is left that a destructor would free.
pub(crate) fn delete_keys_of(code: &[Range<usize>]) -> usize {
    let is_theirs = |row: &Row| code.iter().any(|range| range.contains(&row.destructor_address));
    let theirs: Vec<_> = ledger().extract_if(.., |row| is_theirs(row)).collect();
    for row in &theirs {
        // SAFETY: the ledger says that the key is in use; nobody is left who could use it.
        unsafe { real_delete(row.key) };
    }
    theirs.len()
}

/// Makes a key and notes its destructor.
///
/// # Safety
/// As `pthread_key_create(3)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_create(
    key: *mut libc::pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    // SAFETY: the arguments are the caller's, passed on unchanged.
    let outcome = unsafe { real_create(key, destructor) };
    if outcome == 0 {
        let destructor_address = destructor.map_or(0, |function| function as usize);
        // SAFETY: on success the C library has written the key there.
        let key = unsafe { *key };
        ledger().push(Row { key, destructor_address });
    }
    outcome
}

/// Deletes a key and forgets its destructor.
///
/// # Safety
/// As `pthread_key_delete(3)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_delete(key: libc::pthread_key_t) -> c_int {
    ledger().retain(|row| row.key != key);
    // SAFETY: the argument is the caller's, passed on unchanged.
    unsafe { real_delete(key) }
}

unsafe fn real_create(key: *mut libc::pthread_key_t, destructor: Option<Destructor>) -> c_int {
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let address = next_symbol(&REAL, c"pthread_key_create");
    // SAFETY: this is the C library's function of that name, whose type `Create` spells out.
    let create = unsafe { std::mem::transmute::<*mut c_void, Create>(address) };
    // SAFETY: the caller keeps the duties of `pthread_key_create(3)`.
    unsafe { create(key, destructor) }
}

unsafe fn real_delete(key: libc::pthread_key_t) -> c_int {
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let address = next_symbol(&REAL, c"pthread_key_delete");
    // SAFETY: this is the C library's function of that name, whose type `Delete` spells out.
    let delete = unsafe { std::mem::transmute::<*mut c_void, Delete>(address) };
    // SAFETY: the caller keeps the duties of `pthread_key_delete(3)`.
    unsafe { delete(key) }
}

/// The function that ours stands in front of. Found once; two threads at once find the same.
fn next_symbol(found: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let known = found.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: `name` is a C string and `RTLD_NEXT` is a valid handle.
    let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!address.is_null(), "the C library has no `{}`", name.to_string_lossy());
    found.store(address, Ordering::Relaxed);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn destructor(_value: *mut c_void) {}

    fn create() -> libc::pthread_key_t {
        let mut key = 0;
        // SAFETY: `key` outlives the call and the destructor does nothing.
        assert_eq!(unsafe { pthread_key_create(&raw mut key, Some(destructor)) }, 0);
        key
    }

    fn is_known(key: libc::pthread_key_t) -> bool {
        ledger().iter().any(|row| row.key == key)
    }

    #[test]
    fn a_deleted_key_leaves_the_ledger() {
        let key = create();
        assert!(is_known(key));
        // SAFETY: the key was made above.
        assert_eq!(unsafe { pthread_key_delete(key) }, 0);
        assert!(!is_known(key));
    }

    #[test]
    fn keys_are_found_by_the_code_of_their_destructor() {
        let address = destructor as *const () as usize;
        let (mine, elsewhere) = (address..address + 1, address + 1..address + 2);
        let key = create();
        assert_eq!(delete_keys_of(&[elsewhere]), 0);
        assert!(is_known(key));
        assert!(delete_keys_of(&[mine]) >= 1);
        assert!(!is_known(key));
    }
}
