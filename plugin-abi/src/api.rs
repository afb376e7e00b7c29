//! The by-value types and the table of host functions: all that the layout snapshot covers.
//!
//! Ownership is in the names: a *parcel* is the host's allocation, lent to the plugin until it is
//! released; a *slice* is lent for the length of one call. Types passed by value are frozen for ever;
//! [`HostFunctions`] grows at its end only.
//!
//! Not here: what the messages mean ([`crate::message`]) or any way to use these types without care;
//! the safe faces are [`crate::guest`] and [`crate::host`].

use std::fmt;

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RSliceMut};

/// Memory of the host that a message brought, lent until [`HostFunctions::release`] is called with it.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct RawParcel {
    /// The first byte; dangling, never null, when `capacity` is 0.
    pub start: *mut u8,
    /// How many bytes may be read.
    pub len: usize,
    /// What the host's allocation holds; meaningless to the plugin, returned unchanged.
    pub capacity: usize,
}

/// One message on its way into the plugin.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct RawInbound {
    /// Which [`crate::message::Inbound`] it is, by number.
    pub kind: u32,
    /// The request, call or stream it is about.
    pub id: u64,
    /// A number whose meaning depends on `kind`.
    pub detail: u64,
    /// Its payload. The plugin releases it, whatever the kind.
    pub parcel: RawParcel,
}

/// One message on its way out of the plugin. The slices are lent for the call.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct RawOutbound<'a> {
    /// Which [`crate::message::Outbound`] it is, by number.
    pub kind: u32,
    /// The request or stream it is about, or 0.
    pub id: u64,
    /// The number by which the plugin will recognize the completion, or 0 when none is wanted.
    pub call: u64,
    /// A number whose meaning depends on `kind`.
    pub detail: u64,
    /// The structured part of the payload.
    pub head: RSlice<'a, u8>,
    /// The opaque part of the payload.
    pub body: RSlice<'a, u8>,
}

/// The host, as a plugin sees it: an opaque pointer and the functions that take it.
///
/// Valid from the call of `run` until `run` has returned and no thread of the plugin is left.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct HostApi {
    /// Passed back as the first argument of every function.
    pub(crate) context: *const (),
    /// What can be called.
    pub(crate) functions: HostFunctionsRef,
}

/// The host's functions. Each may be called from any thread of the plugin and none blocks.
#[repr(C)]
#[derive(Debug, StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostFunctionsRef)))]
#[sabi(missing_field(option))]
pub struct HostFunctions {
    /// The eventfd that becomes readable when a message arrives after [`HostFunctions::arm`] said `true`.
    /// The host owns it; it lives as long as the [`HostApi`].
    pub mailbox_fd: extern "C" fn(context: *const ()) -> i32,
    /// Moves waiting messages into `into`, oldest first, and says how many.
    pub receive:
        for<'a> extern "C" fn(context: *const (), into: RSliceMut<'a, RawInbound>) -> usize,
    /// Announces that the plugin is about to wait. `false`: messages came meanwhile, receive again.
    pub arm: extern "C" fn(context: *const ()) -> bool,
    /// Gives a parcel back, exactly once.
    pub release: extern "C" fn(context: *const (), parcel: RawParcel),
    /// Says something to the host, which copies what it wants to keep.
    #[sabi(last_prefix_field)]
    pub send: for<'a> extern "C" fn(context: *const (), message: RawOutbound<'a>),
}

impl fmt::Debug for HostFunctionsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostFunctionsRef")
    }
}

/// Where `descriptor` writes its JSON.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct DescriptorSink {
    /// Passed back as the first argument.
    pub(crate) context: *mut (),
    /// Takes a copy of the whole document; to be called once.
    pub(crate) write: for<'a> extern "C" fn(context: *mut (), json: RSlice<'a, u8>),
}

/// What a generation is told when it starts. The slice is lent until `run` returns.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct GenerationInfo<'a> {
    /// Its number, unique in the life of a daemon.
    pub(crate) generation: u64,
    /// One of [`crate::root::Mode`].
    pub(crate) mode: u32,
    /// [`crate::descriptor::StartDocument`] as JSON.
    pub(crate) document: RSlice<'a, u8>,
}
