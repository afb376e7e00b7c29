//! The host's face of the seam: a [`HostPort`] becomes a [`HostApi`] that a plugin can call.
//!
//! The functions of the table do nothing but translate raw messages into [`Outbound`] and parcels into
//! owned memory; what a message means is the port's business. A port must neither block nor panic: its
//! methods run on the plugin's threads, in the middle of the plugin's work.
#![expect(
    unsafe_code,
    reason = "the context pointer and the parcels cross the boundary as raw memory"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{RSlice, RSliceMut};

use crate::api::{
    DescriptorSink, GenerationInfo, HostApi, HostFunctions, HostFunctionsRef, RawInbound,
    RawOutbound, RawParcel,
};
use crate::mailbox::Mailbox;
use crate::message::{Inbound, InboundParts, Outbound, Unreadable};
use crate::root::{Mode, PluginRootRef};

/// What stands behind the [`HostApi`] of one generation.
pub trait HostPort: Send + Sync + 'static {
    /// Where the generation finds its messages.
    fn mailbox(&self) -> &Mailbox;

    /// Takes what the generation says; an `Err` is something it cannot have meant.
    fn said(&self, message: Result<Outbound<'_>, Unreadable>);

    /// Takes back the memory of a parcel, which may be used for something else.
    fn released(&self, memory: Vec<u8>) {
        drop(memory);
    }
}

/// The table through which a plugin reaches `port`.
///
/// # Safety
/// `port` must stay alive until no thread can call the table any more: until `run` has returned *and* no
/// thread that the plugin made is left.
#[must_use]
pub unsafe fn export<P: HostPort>(port: &Arc<P>) -> HostApi {
    let functions = HostFunctionsRef(Exported::<P>::FUNCTIONS.static_as_prefix());
    HostApi { context: Arc::as_ptr(port).cast(), functions }
}

/// As [`export`], for a port that is never freed: what a test of a plugin wants.
#[must_use]
pub fn export_forever<P: HostPort>(port: &Arc<P>) -> HostApi {
    let forever = ManuallyDrop::new(Arc::clone(port));
    // SAFETY: the count that `forever` holds is never given back.
    unsafe { export(&forever) }
}

/// What a generation is told when it starts; `document` is a [`crate::descriptor::StartDocument`].
#[must_use]
pub fn generation_info(generation: u64, mode: Mode, document: &[u8]) -> GenerationInfo<'_> {
    GenerationInfo { generation, mode: mode as u32, document: RSlice::from_slice(document) }
}

/// Asks a plugin for its descriptor.
#[must_use]
pub fn read_descriptor(root: PluginRootRef) -> Vec<u8> {
    collect_descriptor(|sink| root.descriptor()(sink))
}

/// As [`read_descriptor`] for a descriptor function that is linked in.
#[must_use]
pub fn collect_descriptor(describe: impl FnOnce(DescriptorSink)) -> Vec<u8> {
    extern "C" fn write(context: *mut (), json: RSlice<'_, u8>) {
        // SAFETY: `context` is the `Vec` below, which nobody else touches while `describe` runs.
        let document = unsafe { &mut *context.cast::<Vec<u8>>() };
        document.extend_from_slice(json.as_slice());
    }
    let mut document = Vec::new();
    describe(DescriptorSink { context: (&raw mut document).cast(), write });
    document
}

struct Exported<P>(PhantomData<P>);

impl<P: HostPort> Exported<P> {
    const FUNCTIONS: &'static WithMetadata<HostFunctions> = &WithMetadata::new(HostFunctions {
        mailbox_fd: mailbox_fd::<P>,
        receive: receive::<P>,
        arm: arm::<P>,
        release: release::<P>,
        send: send::<P>,
    });
}

fn port<'p, P: HostPort>(context: *const ()) -> &'p P {
    // SAFETY: `context` was made by `export` from an `Arc<P>` that its caller keeps alive.
    unsafe { &*context.cast::<P>() }
}

extern "C" fn mailbox_fd<P: HostPort>(context: *const ()) -> i32 {
    port::<P>(context).mailbox().as_raw_fd()
}

extern "C" fn receive<P: HostPort>(
    context: *const (),
    mut into: RSliceMut<'_, RawInbound>,
) -> usize {
    let mut slots = into.as_mut_slice().iter_mut();
    let n_slots = slots.len();
    port::<P>(context).mailbox().drain(n_slots, |message| {
        let slot = slots.next().expect("drain brings at most `n_slots` messages");
        *slot = lend(message);
    })
}

extern "C" fn arm<P: HostPort>(context: *const ()) -> bool {
    port::<P>(context).mailbox().arm()
}

extern "C" fn release<P: HostPort>(context: *const (), parcel: RawParcel) {
    // SAFETY: the plugin gives back, once, what `lend` took apart.
    let memory = unsafe { Vec::from_raw_parts(parcel.start, parcel.len, parcel.capacity) };
    port::<P>(context).released(memory);
}

extern "C" fn send<P: HostPort>(context: *const (), message: RawOutbound<'_>) {
    port::<P>(context).said(Outbound::from_raw(message));
}

fn lend(message: Inbound) -> RawInbound {
    let InboundParts { kind, id, detail, payload } = message.into_parts();
    let mut payload = ManuallyDrop::new(payload);
    let (len, capacity) = (payload.len(), payload.capacity());
    let parcel = RawParcel { start: payload.as_mut_ptr(), len, capacity };
    RawInbound { kind, id, detail, parcel }
}
