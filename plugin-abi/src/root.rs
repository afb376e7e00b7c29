//! The root module of a plugin: the three functions that the host calls, and how they are exported.
//!
//! [`ABI_REVISION`] is 0 while the seam may still change; from 1 on it is frozen and grows at its ends
//! only. A plugin of another revision is refused, never warned.

use std::fmt;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;

use crate::api::{DescriptorSink, GenerationInfo, HostApi};

/// The revision of this contract. It moves in the same commit as the layout snapshot.
pub const ABI_REVISION: u32 = 0;

/// The symbol through which a plugin exports its root module.
pub const ROOT_SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// The functions of a plugin. Functions only: all state is made by `run` and gone when it returns.
#[repr(C)]
#[derive(Debug, StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRootRef)))]
#[sabi(missing_field(option))]
pub struct PluginRoot {
    /// The [`ABI_REVISION`] the plugin was built with.
    pub abi_revision: extern "C" fn() -> u32,
    /// Copies [`crate::descriptor::Descriptor`] as JSON into the sink. Must not depend on anything but the code.
    pub descriptor: extern "C" fn(sink: DescriptorSink),
    /// Runs one generation, on the calling thread, until it is told to stop.
    #[sabi(last_prefix_field)]
    pub run: for<'a> extern "C" fn(host: HostApi, info: GenerationInfo<'a>) -> AbiExit,
}

impl fmt::Debug for PluginRootRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PluginRootRef")
    }
}

impl RootModule for PluginRootRef {
    abi_stable::declare_root_module_statics! {PluginRootRef}
    const BASE_NAME: &'static str = "metapaas_plugin";
    const NAME: &'static str = "metapaas_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// How `run` ended.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, StableAbi)]
pub enum AbiExit {
    /// It was told to stop and did.
    Stopped,
    /// It never served; the reason was said as `StartFailed`.
    StartFailed,
    /// A panic reached the edge; it was said as `Panicked`.
    Panicked,
}

/// Why a generation is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// To serve.
    Serve = 0,
    /// To be examined: the host offers no services and stops it soon.
    Probe = 1,
}

impl Mode {
    /// The mode of this number; numbers that are not known read as [`Mode::Probe`], the harmless one.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        if number == Self::Serve as u32 { Self::Serve } else { Self::Probe }
    }
}

/// Exports the root module of a plugin: three `extern "C"` functions with the types of [`PluginRoot`].
///
/// Authors use the attribute `plugin_sdk::plugin`, which ends here.
#[macro_export]
macro_rules! export_plugin {
    (descriptor: $descriptor:path, run: $run:path $(, abi_revision: $revision:path)? $(,)?) => {
        const _: () = {
            use $crate::abi_stable::library as sabi;
            use $crate::abi_stable::prefix_type::WithMetadata;
            use $crate::root::{PluginRoot, PluginRootRef};

            const ROOT: &WithMetadata<PluginRoot> = &WithMetadata::new(PluginRoot {
                abi_revision: $crate::export_plugin!(@revision $($revision)?),
                descriptor: $descriptor,
                run: $run,
            });

            extern "C" fn root() -> sabi::RootModuleResult {
                sabi::__call_root_module_loader(|| PluginRootRef(ROOT.static_as_prefix()))
            }

            // SAFETY: the name is reserved by the contract and a plugin exports it once; `root` returns
            // the prefix reference of exactly the type named here.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static HEADER: sabi::LibHeader = unsafe {
                sabi::LibHeader::from_constructor::<PluginRootRef>(
                    root,
                    sabi::CheckTypeLayout::Yes,
                )
            };
        };
    };
    (@revision $revision:path) => { $revision };
    (@revision) => { $crate::root::own_revision };
}

/// The `abi_revision` function of every plugin that does not lie about it.
pub extern "C" fn own_revision() -> u32 {
    ABI_REVISION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_symbol_is_the_one_abi_stable_looks_for() {
        assert_eq!(ROOT_SYMBOL, abi_stable::library::ROOT_MODULE_LOADER_NAME);
    }

    #[test]
    fn an_unknown_mode_is_the_harmless_one() {
        assert_eq!(Mode::from_number(Mode::Serve as u32), Mode::Serve);
        assert_eq!(Mode::from_number(77), Mode::Probe);
    }
}
