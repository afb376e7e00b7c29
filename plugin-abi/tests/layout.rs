//! The layout snapshot: any change of what crosses the boundary fails here until it is announced.
//!
//! Announcing means: move [`plugin_abi::root::ABI_REVISION`] (from revision 1 on), say it in `ABI.md`, and
//! accept the new snapshot with `UPDATE_EXPECT=1`.

use abi_stable::StableAbi;
use abi_stable::abi_stability::PrefixStableAbi;
use abi_stable::prefix_type::PrefixRefTrait;
use abi_stable::type_layout::{TLData, TypeLayout};
use expect_test::expect_file;
use plugin_abi::api::{
    DescriptorSink, GenerationInfo, HostApi, HostFunctionsRef, RawInbound, RawOutbound, RawParcel,
};
use plugin_abi::root::{ABI_REVISION, AbiExit, PluginRootRef};

type Fields<Table> = <Table as PrefixRefTrait>::PrefixFields;

#[test]
fn nothing_that_crosses_the_boundary_changed_unannounced() {
    let layouts = [
        <Fields<PluginRootRef> as PrefixStableAbi>::LAYOUT,
        <Fields<HostFunctionsRef> as PrefixStableAbi>::LAYOUT,
        HostApi::LAYOUT,
        GenerationInfo::LAYOUT,
        DescriptorSink::LAYOUT,
        RawInbound::LAYOUT,
        RawOutbound::LAYOUT,
        RawParcel::LAYOUT,
        AbiExit::LAYOUT,
    ];
    let mut snapshot = format!("abi revision {ABI_REVISION}\n");
    for layout in layouts {
        describe(layout, &mut snapshot);
    }
    expect_file!["layout.txt"].assert_eq(&snapshot);
}

fn describe(layout: &'static TypeLayout, into: &mut String) {
    let head = format!("\n{} size {} align {}\n", layout.name(), layout.size(), layout.alignment());
    into.push_str(&head);
    if let TLData::Enum(variants) = layout.data() {
        variants
            .variant_names_iter()
            .for_each(|name| into.push_str(&format!("  variant {name}\n")));
    }
    if let TLData::PrefixType(prefix) = layout.data() {
        into.push_str(&format!("  required fields {}\n", prefix.first_suffix_field));
    }
    layout.get_fields().into_iter().flatten().for_each(|field| describe_field(&field, into));
}

fn describe_field(field: &abi_stable::type_layout::TLField, into: &mut String) {
    into.push_str(format!("  {}: {}", field.name(), field.full_type()).trim_end());
    into.push('\n');
    for function in field.function_range().iter() {
        let signature = function.to_string();
        let first_line = signature.lines().next().unwrap_or_default();
        into.push_str(&format!("    {first_line}\n"));
    }
}
