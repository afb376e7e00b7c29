//! The words that an operation's kind and state have in the store and in the API.

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

words! {
    /// What an operation does.
    Kind {
        /// An element that was not there comes to serve.
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
        for kind in Kind::ALL.iter().copied() {
            assert_eq!(Kind::named(kind.word()), Some(kind));
        }
        assert_eq!(State::named("running"), None);
    }
}
