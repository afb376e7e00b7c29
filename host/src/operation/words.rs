//! The words that an operation's kind and state have in the store and in the API.

use std::borrow::Cow;
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As the store and the API have it.
            pub(crate) const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The one with this word.
            pub(crate) fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something to an element.
    Element(ElementKind),
    /// Something to a resource: `s3.instance.create`, and any action that it has.
    Resource {
        /// The type.
        slug: String,
        /// What one of the collection is called.
        resource: String,
        /// What is done to it.
        verb: String,
    },
}

words! {
    /// What is done to an element.
    ElementKind {
        /// It was not there and comes to serve.
        Install = "element.install",
        /// Another, newer version comes to serve.
        Upgrade = "element.upgrade",
        /// The version that served before comes to serve again.
        Rollback = "element.rollback",
        /// The same version comes to serve with other settings, grants or another lane.
        Configure = "element.configure",
        /// It goes.
        Uninstall = "element.uninstall",
        /// The way back is given up.
        Finalize = "element.finalize",
        /// A generation that failed is replaced.
        Replace = "element.replace",
        /// It comes to serve again after the daemon was started.
        Resume = "element.resume",
    }
}

words! {
    /// Where an operation stands.
    State {
        /// It waits to begin.
        Pending = "PENDING",
        /// It is being done.
        Running = "RUNNING",
        /// It is done.
        Succeeded = "SUCCEEDED",
        /// It could not be done; what was before is as it was.
        Failed = "FAILED",
        /// Somebody asked for it to end.
        Canceled = "CANCELED",
        /// A newer one took its place.
        Superseded = "SUPERSEDED",
    }
}

impl Kind {
    /// Something done to a resource.
    pub(crate) fn resource(slug: &str, resource: &str, verb: &str) -> Self {
        Self::Resource {
            slug: slug.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
        }
    }

    /// As the store and the API have it.
    pub(crate) fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Element(kind) => Cow::Borrowed(kind.word()),
            Self::Resource { slug, resource, verb } => {
                Cow::Owned(format!("{slug}.{resource}.{verb}"))
            }
        }
    }

    /// The one with this word. Those of resources have three parts, whatever a type may be called.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let mut parts = word.split('.');
        match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
            (_, _, None, _) => ElementKind::named(word).map(Self::Element),
            (slug, resource, Some(verb), None) => Some(Self::resource(slug, resource, verb)),
            (_, _, Some(_), Some(_)) => None,
        }
    }

    /// Whether one that has not begun can be called off: whoever would begin it looks whether it was.
    pub(crate) fn is_called_off_before_it_begins(&self) -> bool {
        match self {
            Self::Element(kind) => kind.is_rollout(),
            Self::Resource { .. } => false,
        }
    }
}

impl ElementKind {
    /// Whether somebody asked for something else to serve.
    pub(crate) const fn is_rollout(self) -> bool {
        match self {
            Self::Install | Self::Upgrade | Self::Rollback | Self::Configure => true,
            Self::Uninstall | Self::Finalize | Self::Replace | Self::Resume => false,
        }
    }
}

impl From<ElementKind> for Kind {
    fn from(kind: ElementKind) -> Self {
        Self::Element(kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

impl State {
    /// Those that it can leave.
    pub(super) const OPEN: [Self; 2] = [Self::Pending, Self::Running];

    /// Whether it is over.
    pub(crate) const fn is_done(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Canceled | Self::Superseded => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_one() {
        for state in State::ALL.iter().copied() {
            assert_eq!(State::named(state.word()), Some(state));
        }
        assert_eq!(State::named("running"), None);
        let of_elements = ElementKind::ALL.iter().copied().map(Kind::Element);
        let of_resources = [("s3", "instance", "create"), ("element", "access_key", "rotate")];
        let of_resources = of_resources.map(|(slug, name, verb)| Kind::resource(slug, name, verb));
        for kind in of_elements.chain(of_resources) {
            assert_eq!(Kind::named(&kind.word()), Some(kind));
        }
        for nonsense in ["", "element", "element.dance", "a.b.c.d"] {
            assert_eq!(Kind::named(nonsense), None, "{nonsense}");
        }
    }
}
