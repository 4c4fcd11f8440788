//! The harness plan: what the runtime is asked. `runtime/python/PLAN.md` has the meaning of every field.

use serde::Serialize;
use serde_json::{Map, Value};

/// A harness plan. What is left out the runtime settles by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The project's directory: a copy.
    pub root: String,
    /// More directories that imports are looked for in, relative to `root`.
    pub path: Vec<String>,
    /// What the static side reported.
    pub finding: Reported,
    /// What is called.
    pub targets: Vec<Target>,
    /// What is replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stubs: Vec<Stub>,
    /// What operations of stand-ins fail with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Further objects to put back before each schedule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restore: Vec<String>,
    /// How stand-ins answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What a store gives for a key that it hasn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<Value>,
    /// How far the search goes.
    #[serde(skip_serializing_if = "Bounds::is_default")]
    pub bounds: Bounds,
    /// Seconds for the whole search.
    pub budget: f64,
}

/// The finding, as far as the runtime asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reported {
    /// The rule; without one, whatever needs no knowledge of the code counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The file, relative to the root.
    pub path: String,
    /// Lines that must run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u32>,
    /// The places that the finding is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
}

/// A callable, and how it is called.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Target {
    /// `MODULE:QUALIFIED.NAME`.
    pub call: String,
    /// Values by parameter name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub args: Map<String, Value>,
    /// What the object is made with, or from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Value>,
}

/// A callable that is replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stub {
    /// `MODULE:NAME`, or the last part of a stand-in's name.
    pub call: String,
    /// What it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// How far the search goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bounds {
    /// Numbers of overlapping calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<usize>,
    /// How many operations fail in one schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<usize>,
    /// How many calls are cancelled in one schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancels: Option<usize>,
}

impl Bounds {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
