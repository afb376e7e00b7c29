//! Opening the secrets of a plugin's own resources.

use plugin_abi::descriptor::Kind;
use plugin_abi::secret::{Answer, Fault, FaultKind, Request};

use super::Own;
use crate::log;
use crate::resource::{rows, sealed};
use crate::secret::Place;

impl Own {
    /// Opens what is asked for, and writes into the log that it did.
    pub(crate) async fn open(&self, request: Request) -> Answer {
        let Request::Open { reference } = request;
        self.try_open(&reference).await.unwrap_or_else(Answer::Fault)
    }

    async fn try_open(&self, reference: &str) -> Result<Answer, Fault> {
        let nothing = || fault(FaultKind::NotFound, "the reference leads to nothing any more");
        let place = sealed::Reference::parse(reference).ok_or_else(nothing)?;
        let (slug, collection) = self.of_table(place.table).ok_or_else(|| {
            fault(FaultKind::Denied, "the reference is to what another element keeps")
        })?;
        let of = self.collection(&slug, &collection).ok_or_else(nothing)?;
        let field = of.model.field(place.column).ok_or_else(nothing)?;
        if field.declared.kind != Kind::Secret {
            return Err(nothing());
        }
        let sealed = match self.writes.pending().of(reference) {
            Some(sealed) => sealed,
            None => self.kept(&of, &place).await?.ok_or_else(nothing)?,
        };
        let id = place.id.to_string();
        let own = Place { table: place.table, row: &id, column: place.column };
        let text = self.writes.secrets().unseal(&sealed, own).map_err(|error| {
            let cause = log::chain(&error).to_string();
            tracing::error!(element = %self.element, "a secret does not open: {cause}");
            fault(FaultKind::Unavailable, "the secret does not open; the daemon's log says why")
        })?;
        tracing::info!(element = %self.element, table = place.table, row = %place.id, field = place.column, "a plugin opens a secret");
        Ok(Answer::Text(text.reveal().to_owned()))
    }

    /// What the row has, if it still is what the reference was made of.
    async fn kept(
        &self,
        of: &crate::resource::write::Collection,
        place: &sealed::Reference<'_>,
    ) -> Result<Option<String>, Fault> {
        let row = rows::whole(self.writes.connection(), &of.model, place.id).await;
        let row = row.map_err(|error| {
            let super::Fault { message, .. } = super::unavailable(error);
            fault(FaultKind::Unavailable, message)
        })?;
        let value = row.and_then(|mut row| row.fields.remove(place.column));
        let sealed = value.and_then(|value| value.as_str().map(str::to_owned));
        Ok(sealed.filter(|sealed| sealed::digest(sealed) == place.digest))
    }

    /// The type and the collection of a table, if they are the element's.
    fn of_table(&self, table: &str) -> Option<(String, String)> {
        let tables = self.writes.tables().load();
        let types =
            tables.types().into_iter().filter(|served| served.model.element == self.element);
        let mut models = types.flat_map(|served| served.model.resources().to_vec());
        let model = models.find(|model| model.table() == table)?;
        Some((model.slug.clone(), model.collection().to_owned()))
    }
}

fn fault(kind: FaultKind, message: impl Into<String>) -> Fault {
    Fault { kind, message: message.into() }
}
