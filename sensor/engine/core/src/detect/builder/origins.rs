//! Which options of a rule say which of its compiled tests. Kept only when asked for: most rules are never explained.

use super::{Item, List, Place, RuleBuilder};
use crate::detect::rule::Rule;

/// Options by their index in the rule; empty: the header says it.
pub type Options = Vec<usize>;

/// What the options of a rule became.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub packet_tests: Vec<Options>,
    pub tx_tests: Vec<Options>,
    pub shared_tests: Vec<Options>,
    pub scripts: Vec<Options>,
    /// By test of the payload program.
    pub payload: Tests,
    /// As `Rule::buffers`.
    pub buffers: Vec<(Options, Tests)>,
    file_tests: Options,
    /// By list of the builder and item of the list.
    lists: Vec<Vec<Options>>,
}

/// By test of a program, and of the program over what it decodes.
#[derive(Clone, Debug, Default)]
pub struct Tests {
    pub tests: Vec<Options>,
    pub decoded: Vec<Options>,
}

/// Gives everything that is new to `options`.
fn lengthen(list: &mut Vec<Options>, to: usize, options: &Options) {
    list.resize_with(to.max(list.len()), || options.clone());
}

impl Origins {
    /// An option was taken; None: the header.
    fn note(&mut self, option: Option<usize>, rule: &Rule, lists: &[List], files: usize) {
        let options = Vec::from_iter(option);
        lengthen(&mut self.packet_tests, rule.packet_tests.len(), &options);
        lengthen(&mut self.tx_tests, rule.tx_tests.len(), &options);
        lengthen(&mut self.shared_tests, rule.shared_tests.len(), &options);
        lengthen(&mut self.scripts, rule.scripts.len(), &options);
        self.file_tests.extend(option.filter(|_| files > self.file_tests.len()));
        self.lists.resize_with(lists.len().max(self.lists.len()), Vec::new);
        for (own, list) in self.lists.iter_mut().zip(lists) {
            lengthen(own, list.items.len(), &options);
        }
    }

    /// An item went from the payload's list to another.
    pub(super) fn moved(&mut self, at: usize, target: usize) {
        self.lists.resize_with(self.lists.len().max(target.saturating_add(1)), Vec::new);
        let Some(payload) = self.lists.first_mut().filter(|payload| at < payload.len()) else { return };
        let options = payload.remove(at);
        self.lists.get_mut(target).into_iter().for_each(|list| list.push(options.clone()));
    }

    /// An option says more about an item.
    pub(super) fn modified(&mut self, list: usize, item: usize, option: usize) {
        let options = self.lists.get_mut(list).and_then(|list| list.get_mut(item));
        options.filter(|options| !options.contains(&option)).into_iter().for_each(|o| o.push(option));
    }

    /// The items of a list come into the order in which they are evaluated.
    pub(super) fn ordered(&mut self, list: usize, items: &[Item], is_first: impl Fn(&Item) -> bool) {
        let Some(own) = self.lists.get_mut(list) else { return };
        let mut paired: Vec<(bool, Options)> =
            items.iter().map(|item| !is_first(item)).zip(std::mem::take(own)).collect();
        paired.sort_by_key(|(later, _)| *later);
        *own = paired.into_iter().map(|(_, options)| options).collect();
    }

    /// A list became a part of the rule.
    pub(super) fn settled(&mut self, at: usize, list: &List, decoded: Option<usize>, is_payload: bool) {
        let tests =
            Tests { tests: self.of_list(at), decoded: decoded.map_or(Vec::new(), |at| self.of_list(at)) };
        match is_payload {
            true => self.payload = tests,
            false => self.buffers.push((vec![list.option], tests)),
        }
    }

    fn of_list(&mut self, at: usize) -> Vec<Options> {
        self.lists.get_mut(at).map(std::mem::take).unwrap_or_default()
    }

    /// The rule is finished.
    pub(super) fn close(&mut self, rule: &Rule) {
        let files = self.file_tests.clone();
        lengthen(&mut self.tx_tests, rule.tx_tests.len(), &files);
    }
}

impl RuleBuilder<'_> {
    /// Has the origins keep step with what was taken in; None: the header.
    pub(super) fn note_origins(&mut self, option: Option<usize>) {
        let files = self.file_tests.len();
        if let Some(origins) = &mut self.origins {
            origins.note(option, &self.rule, &self.lists, files);
        }
    }
}

/// Whether a list tests what another decodes.
pub(super) fn is_decoded(list: &List) -> Option<usize> {
    match list.place {
        Place::Base64(parent) => Some(parent),
        _ => None,
    }
}
