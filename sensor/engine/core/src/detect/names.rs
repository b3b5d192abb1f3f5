//! Names of what rules leave on flows, for the events that show it: at run time only their numbers are kept.

use super::shared::Shared;

/// In front of the interned names of variables whose values are JSON.
pub const JSON_PREFIX: &str = "json:";

/// A flowbit as events show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BitName {
    Plain(String),
    /// `traffic/id/NAME`
    TrafficId(String),
    /// `traffic/label/NAME`
    TrafficLabel(String),
}

/// A captured variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its value is JSON already.
    pub json: bool,
}

/// By number, as the shared interners gave them.
#[derive(Debug, Default)]
pub struct Names {
    flowbits: Vec<BitName>,
    flowints: Vec<String>,
    variables: Vec<Variable>,
    /// The same as they were interned.
    scoped: Vec<String>,
    /// Those of flows among the variables, by name.
    flowvars: Vec<(String, u32)>,
}

impl Names {
    pub fn new(shared: &Shared) -> Names {
        let bit = |name: &str| match (name.strip_prefix("traffic/id/"), name.strip_prefix("traffic/label/")) {
            (Some(id), _) => BitName::TrafficId(id.to_owned()),
            (_, Some(label)) => BitName::TrafficLabel(label.to_owned()),
            _ => BitName::Plain(name.to_owned()),
        };
        // Variables are interned with their scope in front.
        let variable = |name: &str| Variable {
            name: name.split_once(':').map_or(name, |(_, name)| name).to_owned(),
            json: name.starts_with(JSON_PREFIX),
        };
        let of_flow = |(id, name): (u32, &str)| name.strip_prefix("flow:").map(|name| (name.to_owned(), id));
        Names {
            flowvars: (0u32..).zip(shared.flowvars.names()).filter_map(of_flow).collect(),
            flowbits: shared.flowbits.names().map(bit).collect(),
            flowints: shared.flowints.names().map(str::to_owned).collect(),
            scoped: shared.flowvars.names().map(str::to_owned).collect(),
            variables: shared.flowvars.names().map(variable).collect(),
        }
    }

    pub fn flowbit(&self, number: u32) -> Option<&BitName> {
        self.flowbits.get(number as usize)
    }
    pub fn flowint(&self, number: u32) -> Option<&str> {
        self.flowints.get(number as usize).map(String::as_str)
    }
    pub fn flowbits(&self) -> &[BitName] {
        &self.flowbits
    }
    pub fn flowints(&self) -> &[String] {
        &self.flowints
    }
    /// With their scopes in front.
    pub fn variables(&self) -> &[String] {
        &self.scoped
    }
    pub fn flowint_numbers(&self) -> impl Iterator<Item = (&str, u32)> {
        self.flowints.iter().map(String::as_str).zip(0u32..)
    }
    pub fn flowvar_numbers(&self) -> impl Iterator<Item = (&str, u32)> {
        self.flowvars.iter().map(|(name, id)| (name.as_str(), *id))
    }
    pub fn variable(&self, number: u32) -> Option<&Variable> {
        self.variables.get(number as usize)
    }
}
