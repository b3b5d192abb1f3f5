//! Which buffer the next test goes to, and which content the next modifier speaks of.

use super::{no_value, ContentDraft, Item, List, Place, RuleBuilder};
use crate::detect::buffers;
use crate::detect::diagnostic::Refusal;
use crate::detect::endpoints::Arrow;
use crate::detect::program::Op;
use crate::detect::rule::*;
use crate::direction::Dir;

impl RuleBuilder<'_> {
    /// A sticky buffer of a protocol; in rules with => it may name its direction.
    pub(super) fn select_app(&mut self, name: &str, buffer: u16, value: Option<&str>) -> Result<(), Refusal> {
        let dir = match (self.rule.arrow, value) {
            (Arrow::Transaction, Some("to_server" | "toserver")) => Some(Dir::ToServer),
            (Arrow::Transaction, Some("to_client" | "toclient")) => Some(Dir::ToClient),
            _ => {
                no_value(name, value)?;
                None
            }
        };
        self.shared.files.magic |= name == buffers::MAGIC_NAME;
        self.select(Place::App(buffer))?;
        if dir.is_some() && self.list().dir != dir {
            if !self.list().items.is_empty() {
                self.lists.push(List::new(Place::App(buffer), self.option));
                self.current = self.lists.len().saturating_sub(1);
            }
            self.list().dir = dir;
        }
        Ok(())
    }

    /// Makes a sticky buffer the one that following tests look at.
    pub fn select(&mut self, place: Place) -> Result<(), Refusal> {
        self.check_unused()?;
        self.last_content = None;
        let same = |list: &List| match (list.place, place) {
            (Place::Payload, Place::Payload) => true,
            (Place::App(a), Place::App(b)) => a == b && !buffers::is_multi(a),
            (Place::Packet(a, _), Place::Packet(b, _)) => a == b,
            (Place::Frame(a, x), Place::Frame(b, y)) => (a, x) == (b, y),
            _ => false,
        };
        let plain = |list: &List| list.transforms.is_empty();
        match self.lists.iter().position(|l| same(l) && plain(l)) {
            Some(at) => {
                self.current = at;
                self.reselected = true;
            }
            None => {
                self.lists.push(List::new(place, self.option));
                self.current = self.lists.len().saturating_sub(1);
                self.reselected = false;
            }
        }
        Ok(())
    }

    /// A sticky buffer that nothing was asked of is a mistake.
    pub fn check_unused(&self) -> Result<(), Refusal> {
        match self.lists.get(self.current) {
            Some(list)
                if self.current > 0
                    && list.items.is_empty()
                    && list.absent == Absent::No
                    && !matches!(list.place, Place::Later) =>
            {
                Err(Refusal::error(
                    "the sticky buffer before has no test",
                    "add content, pcre or another test behind it, or remove the buffer",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Adds a transform to the selected buffer.
    pub fn transform(&mut self, transform: Box<dyn Transform>) -> Result<(), Refusal> {
        let place = self.list().place;
        if self.current == 0 || matches!(place, Place::Base64(_)) {
            return Err(Refusal::error(
                "a transform needs a sticky buffer before it",
                "put it right behind the sticky buffer, e.g. http.uri; to_lowercase; content:...",
            ));
        }
        // Behind tests it begins a new list on the same buffer.
        if !self.list().items.is_empty() {
            self.lists.push(List::new(place, self.option));
            self.current = self.lists.len().saturating_sub(1);
        }
        self.reselected = false;
        self.list().transforms.push(transform);
        Ok(())
    }

    /// Moves the last content into the buffer of a legacy modifier.
    pub(super) fn modify(&mut self, name: &str, buffer: u16) -> Result<(), Refusal> {
        if matches!(self.list().place, Place::Later) {
            return Ok(());
        }
        if self.current != 0 {
            return Err(Refusal::error(
                format!("`{name}` modifies a content, but a sticky buffer is selected"),
                "put pkt_data; before the content, or use the sticky buffer's own name",
            ));
        }
        let Some((0, at)) = self.last_content else {
            return Err(Refusal::error(
                format!("`{name}` has no content before it"),
                format!("write content:\"...\"; {name};"),
            ));
        };
        let Some(Item::Content(content)) = self.lists.first().and_then(|l| l.items.get(at)) else {
            return Err(Refusal::error(
                format!("`{name}` stands behind something that is not a content"),
                "put it right behind its content",
            ));
        };
        if content.rawbytes || content.replaced {
            return Err(Refusal::error(
                format!("`{name}` cannot be used with rawbytes or replace"),
                "remove one of them",
            ));
        }
        let target = self.plain_list(Place::App(buffer));
        let Some(payload) = self.lists.first_mut() else {
            return Ok(());
        };
        let item = payload.items.remove(at);
        if let Some(origins) = &mut self.origins {
            origins.moved(at, target);
            let moved = self.lists.get(target).map_or(0, |list| list.items.len());
            origins.modified(target, moved, self.option);
        }
        if let Some(list) = self.lists.get_mut(target) {
            list.items.push(item);
            self.last_content = Some((target, list.items.len().saturating_sub(1)));
        }
        Ok(())
    }

    /// The list of a buffer without transforms, made when there is none.
    pub fn plain_list(&mut self, place: Place) -> usize {
        let found = self.lists.iter().position(|l| {
            matches!((l.place, place), (Place::App(a), Place::App(b)) if a == b) && l.transforms.is_empty()
        });
        found.unwrap_or_else(|| {
            self.lists.push(List::new(place, self.option));
            self.lists.len().saturating_sub(1)
        })
    }

    /// The list in hand. Always there: `current` is only set to lists that exist.
    #[allow(clippy::indexing_slicing)] // `current` is brought below the length first
    pub fn list(&mut self) -> &mut List {
        if self.current >= self.lists.len() {
            self.current = 0;
        }
        if self.lists.is_empty() {
            self.lists.push(List::new(Place::Payload, 0));
        }
        let at = self.current;
        &mut self.lists[at]
    }

    /// Adds a test to the list in hand.
    pub fn push(&mut self, item: Item) {
        let current = self.current;
        let is_content = matches!(item, Item::Content(_));
        let list = self.list();
        list.items.push(item);
        let at = list.items.len().saturating_sub(1);
        if is_content {
            self.last_content = Some((current, at));
        }
        self.reselected = false;
    }

    pub fn push_op(&mut self, op: Op) {
        self.push(Item::Op(op));
    }

    /// Adds a relative test: without a sticky buffer it belongs where the last content went (`http_uri`).
    pub fn push_relative(&mut self, op: Op, relative: bool) {
        match self.last_content {
            Some((list, _)) if relative && self.current == 0 && list != 0 => {
                if let Some(found) = self.lists.get_mut(list) {
                    found.items.push(Item::Op(op));
                }
            }
            _ => self.push_op(op),
        }
    }

    /// The content that the modifier `name` speaks of.
    pub fn content(&mut self, name: &str) -> Result<&mut ContentDraft, Refusal> {
        if let (Some(origins), Some((list, item))) = (&mut self.origins, self.last_content) {
            origins.modified(list, item, self.option);
        }
        let found = self.last_content.and_then(|(list, item)| {
            match self.lists.get_mut(list)?.items.get_mut(item)? {
                Item::Content(content) => Some(content),
                Item::Op(_) => None,
            }
        });
        found.ok_or_else(|| {
            Refusal::error(
                format!("`{name}` has no content before it"),
                format!("put it right behind the content it modifies: content:\"...\"; {name};"),
            )
        })
    }
}
