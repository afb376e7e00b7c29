//! Whether a route of the plugin's own answers where a declared collection does.
//!
//! Declared paths win, so such a route would be dead in part; it is refused instead. Templates are compared
//! segment by segment: a parameter may be anything.

use plugin_abi::descriptor::{Route, RouteBase};

use super::error::{ModelError, Wrong};
use super::names::WORDS_BELOW;
use super::{ResourceModel, TypeModel};

/// A segment of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment<'a> {
    Literal(&'a str),
    /// Any one.
    Any,
    /// Any one and all that follow.
    Rest,
}

/// Refuses the first route of the type that overlaps with a declared path.
pub(super) fn check(model: &TypeModel, routes: &[Route]) -> Result<(), ModelError> {
    if model.is_bare() {
        return Ok(());
    }
    let declared = declared(model);
    for route in routes {
        match &route.base {
            RouteBase::Type(slug) if *slug == model.slug => {}
            RouteBase::Type(_) | RouteBase::Mount(_) => continue,
        }
        let own = segments(&route.path);
        if let Some(path) = declared.iter().find(|path| overlap(&own, &segments(path))) {
            let wrong = Wrong::Route { route: route.path.clone(), declared: path.clone() };
            return Err(ModelError::of_type(&model.slug, wrong));
        }
    }
    Ok(())
}

/// Every path that the host answers for a type, as templates.
fn declared(model: &TypeModel) -> Vec<String> {
    let own = ["/".to_owned(), "/versions".to_owned(), "/versions/{version}".to_owned()];
    let mut paths = Vec::from(own);
    for resource in model.resources() {
        let all = template(model, resource);
        paths.extend(WORDS_BELOW.iter().map(|word| format!("{all}/{{id}}/{word}")));
        paths.push(format!("{all}/{{id}}/actions/{{verb}}"));
        paths.push(format!("{all}/{{id}}"));
        paths.push(all);
    }
    paths
}

fn template(model: &TypeModel, resource: &ResourceModel) -> String {
    let above = resource.declared.parent.as_deref().and_then(|parent| model.resource(parent));
    let above = above.map(|parent| format!("{}/{{id}}", template(model, parent)));
    format!("{}/{}", above.unwrap_or_default(), resource.collection())
}

fn segments(path: &str) -> Vec<Segment<'_>> {
    let segment = |text| match text {
        text if str::starts_with(text, "{*") => Segment::Rest,
        // A parameter may be a part of a segment only: what is around it is not looked at.
        text if text.contains('{') => Segment::Any,
        text => Segment::Literal(text),
    };
    path.split('/').filter(|text| !text.is_empty()).map(segment).collect()
}

fn overlap(one: &[Segment<'_>], other: &[Segment<'_>]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([], _) | (_, []) => false,
        ([Segment::Rest, ..], _) | (_, [Segment::Rest, ..]) => true,
        ([Segment::Literal(a), one @ ..], [Segment::Literal(b), other @ ..]) => {
            a == b && overlap(one, other)
        }
        ([_any, one @ ..], [_other, other @ ..]) => overlap(one, other),
    }
}
