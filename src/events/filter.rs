//! Which events a reader or a webhook wants.

use super::item::Item;
use crate::model::{
    error::Problem,
    event::{EventKind, Kinds},
    ids::VisitorId,
};

/// Which events somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of these kinds.
    pub kinds: Kinds,
    /// Of this visitor only.
    pub visitor: Option<VisitorId>,
}

impl Filter {
    /// All events.
    pub const ALL: Self = Self { kinds: Kinds::ALL, visitor: None };

    /// The filter that a request asks for: names of kinds between commas, and a visitor.
    ///
    /// # Errors
    /// `badrequest` that names the field.
    pub fn read(types: Option<&str>, visitor: Option<&str>) -> Result<Self, Problem> {
        let names = types.into_iter().flat_map(|types| types.split(',')).map(str::trim);
        let known = || format!("must be some of {}, between commas", EventKind::NAMES.join(", "));
        let kinds = Kinds::of(names).map_err(|_| Problem::field("types", known()))?;
        let visitor = visitor.map(str::parse::<VisitorId>).transpose();
        let visitor = visitor.map_err(|invalid| Problem::field("visitor", invalid.to_string()))?;
        Ok(Self { kinds, visitor })
    }

    /// Whether this event is wanted.
    #[must_use]
    pub fn wants(&self, item: &Item) -> bool {
        self.kinds.contains(item.kind)
            && self.visitor.as_ref().is_none_or(|visitor| visitor == item.visitor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::item::tests::item;

    #[test]
    fn a_filter_is_read_and_names_what_is_wrong() {
        let all = Filter::read(None, None).unwrap();
        assert!(all == Filter::ALL && all.kinds.names().eq(EventKind::NAMES));
        let some = Filter::read(Some("visitorconn, visitorsock"), Some("ada")).unwrap();
        assert!(some.kinds.names().eq(["visitorconn", "visitorsock"]));
        assert!(some.wants(&item("ada", 1, 1)) && !some.wants(&item("bob", 1, 1)));
        assert!(!Filter::read(Some("presence"), None).unwrap().wants(&item("ada", 1, 1)));
        for (types, visitor, field) in [
            (Some("presence,x"), None, "types"),
            (Some(""), None, "types"),
            (None, Some("a b"), "visitor"),
        ] {
            assert_eq!(Filter::read(types, visitor).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
