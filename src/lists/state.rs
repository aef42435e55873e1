//! One group's lists: its rows, the views of them, and the queries that look at these.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Reader,
    page::{self, Page, PageQuery},
    query::Query,
    view::{Rows, Shown, View},
};
use crate::model::{
    error::{ErrorCode, Problem},
    ids::{SocketId, VisitorId},
    list::{Facts, ListQuery, Row},
};

/// How many lists there may be.
#[derive(Clone, Copy, Debug)]
pub struct ListLimits {
    /// Live lists of one socket.
    pub per_socket: usize,
    /// Live lists of all sockets of one group.
    pub per_group: usize,
}

struct Open {
    query: Query,
    shown: Arc<Shown>,
    reader: Arc<dyn Reader>,
}

/// One group's lists. Not shared: one thread at a time works on it.
#[derive(Default)]
pub struct State {
    rows: Rows,
    views: HashMap<Arc<Shown>, View>,
    open: BTreeMap<(SocketId, u64), Open>,
    /// Whether there are more or fewer visitors than when the queries were told.
    total_changed: bool,
}

/// What one round of telling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Messages that were sent.
    pub messages: u64,
    /// Readers who are told later, because they have not read the last ones.
    pub held_back: u64,
    /// Whether there is more to tell already.
    pub more: bool,
}

/// How much there is of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Live lists.
    pub lists: usize,
    /// Views that they look at.
    pub views: usize,
    /// Visitors who are there.
    pub rows: usize,
}

impl State {
    /// Who is there.
    #[must_use]
    pub fn visitors(&self) -> Vec<VisitorId> {
        self.rows.keys().cloned().collect()
    }

    /// Takes changed rows in; `None` for visitors who left.
    pub fn take(&mut self, changes: impl IntoIterator<Item = (VisitorId, Option<Arc<Row>>)>) {
        // All rows first: whatever becomes of the views, they can be made anew from these.
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(visitor, new)| {
                let old = match &new {
                    Some(row) => self.rows.insert(visitor, Arc::clone(row)),
                    None => self.rows.remove(&visitor),
                };
                (old, new)
            })
            .collect();
        for (old, new) in changes {
            self.total_changed |= old.is_some() != new.is_some();
            let facts = (old.as_deref().map(Facts::of), new.as_deref().map(Facts::of));
            for view in self.views.values_mut() {
                view.change(facts.0.as_ref().zip(old.as_ref()), facts.1.as_ref().zip(new.as_ref()));
            }
        }
    }

    /// Opens a list, or lets one show something else. It is told from an empty window on, by the next [`State::begin`].
    ///
    /// # Errors
    /// `toomany` when the socket or the group has as many as it may; a list that was to be replaced stays then.
    pub fn open(
        &mut self,
        socket: SocketId,
        list: u64,
        wanted: ListQuery,
        reader: Arc<dyn Reader>,
        limits: ListLimits,
    ) -> Result<(), Problem> {
        let is_new = !self.open.contains_key(&(socket, list));
        let of_socket = self.open.range((socket, 0)..=(socket, u64::MAX)).count();
        for (whose, lists, most) in [
            ("a socket", of_socket, limits.per_socket),
            ("a group", self.open.len(), limits.per_group),
        ] {
            if is_new && lists >= most {
                let sentence = format!("{whose} may have {most} live lists");
                return Err(Problem::new(ErrorCode::TooMany, sentence));
            }
        }
        let ListQuery { filter, sort, window } = wanted;
        let shown = Arc::new(Shown { filter, sort });
        let view = self.views.entry(Arc::clone(&shown));
        let view = view.or_insert_with(|| View::of(Arc::clone(&shown), &self.rows));
        view.queries += 1;
        // Only now, so that another window of the same view is no new view.
        self.close(socket, list);
        self.open.insert((socket, list), Open { query: Query::new(window), shown, reader });
        Ok(())
    }

    /// Ends a list.
    pub fn close(&mut self, socket: SocketId, list: u64) {
        if let Some(open) = self.open.remove(&(socket, list)) {
            self.release(&open.shown);
        }
    }

    /// Ends all lists of a socket.
    pub fn close_all(&mut self, socket: SocketId) {
        let of_socket = self.open.range((socket, 0)..=(socket, u64::MAX));
        let lists: Vec<u64> = of_socket.map(|((_, list), _)| *list).collect();
        lists.into_iter().for_each(|list| self.close(socket, list));
    }

    fn release(&mut self, shown: &Arc<Shown>) {
        if let Some(view) = self.views.get_mut(shown) {
            view.queries -= 1;
            if view.queries == 0 {
                self.views.remove(shown);
            }
        }
    }

    /// Tells one list for the first time.
    pub fn begin(&mut self, socket: SocketId, list: u64) -> Told {
        let mut told = Told::default();
        if let Some(open) = self.open.get_mut(&(socket, list))
            && let Some(view) = self.views.get(&open.shown)
        {
            open.tell(list, view, self.rows.len(), &mut told);
        }
        told
    }

    /// Tells every list what changed.
    pub fn tell(&mut self) -> Told {
        let mut told = Told::default();
        let total_changed = std::mem::take(&mut self.total_changed);
        for ((_, list), open) in &mut self.open {
            let Some(view) = self.views.get(&open.shown) else { continue };
            if view.changed || total_changed || open.query.behind {
                open.tell(*list, view, self.rows.len(), &mut told);
            }
        }
        self.views.values_mut().for_each(|view| view.changed = false);
        told
    }

    /// Whether a list would be told something by [`State::tell`].
    #[must_use]
    pub fn has_news(&self) -> bool {
        (self.total_changed && !self.open.is_empty())
            || self.views.values().any(|view| view.changed)
            || self.open.values().any(|open| open.query.behind)
    }

    /// A page of the rows, for who asks once.
    #[must_use]
    pub fn page(&self, query: &PageQuery) -> Page {
        page::page(&self.rows, query)
    }

    /// How much there is.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { lists: self.open.len(), views: self.views.len(), rows: self.rows.len() }
    }

    /// Makes all views anew and has every list told from an empty window on: after a panic, nobody knows what of them
    /// holds.
    pub fn recover(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.views.clear();
        for (place, Open { query, shown, reader }) in open {
            let view = self.views.entry(Arc::clone(&shown));
            view.or_insert_with(|| View::of(Arc::clone(&shown), &self.rows)).queries += 1;
            let query = Query::new(query.window());
            self.open.insert(place, Open { query, shown, reader });
        }
    }
}

impl Open {
    fn tell(&mut self, list: u64, view: &View, total: usize, told: &mut Told) {
        if !self.reader.is_ready() {
            self.query.behind = true;
            told.held_back += 1;
            told.more = true;
            return;
        }
        if let Some(change) = self.query.change(list, view, total) {
            self.reader.tell(change);
            told.messages += 1;
        }
        told.more |= self.query.behind;
    }
}
