//! What the user says about how to run the code: `--hint KEY=VALUE`, and `[prove.hints]` of the configuration.

use crate::plan::{Plan, Stub, Target};
use serde_json::{Map, Value, json};

/// The keys, as messages name them.
const KEYS: &str = "args.NAME, receiver, receiver.NAME, target, stub, stub.NAME, cells, errors, restore, policy, absent, \
                    calls, faults, cancels, rule";

/// One thing that the user says.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    key: String,
    value: String,
}

impl Hint {
    /// Takes `KEY=VALUE` apart.
    ///
    /// # Errors
    /// Says which keys there are, and what a key wants.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A stub's name may hold a dot and a colon, but no sign of equality.
        let (key, value) = text.split_once('=').ok_or_else(|| format!("hint `{text}`: KEY=VALUE is expected"))?;
        let hint = Self { key: key.trim().to_owned(), value: value.trim().to_owned() };
        hint.apply(&mut Plan { targets: vec![Target::default()], ..Plan::default() })?;
        Ok(hint)
    }

    /// Changes a plan by it.
    pub(crate) fn apply(&self, plan: &mut Plan) -> Result<(), String> {
        let targets = &mut plan.targets;
        match self.key.split_once('.').unwrap_or((&self.key, "")) {
            ("args", name) if !name.is_empty() => {
                targets.iter_mut().for_each(|target| _ = target.args.insert(name.to_owned(), self.json()));
            }
            ("receiver", "") => targets.iter_mut().for_each(|target| target.receiver = Some(self.json())),
            ("receiver", name) => targets.iter_mut().for_each(|target| {
                let given = target.receiver.get_or_insert_with(|| Value::Object(Map::new()));
                given[name] = self.json();
            }),
            ("target", "") => targets.push(Target { call: self.value.clone(), ..Target::default() }),
            ("stub", "") => plan.stubs.push(Stub { call: self.value.clone(), result: None }),
            ("stub", name) => plan.stubs.push(Stub { call: name.to_owned(), result: Some(self.json()) }),
            ("cells", "") => plan.finding.cells = self.list(),
            ("errors", "") => plan.errors = self.list(),
            ("restore", "") => plan.restore = self.list(),
            ("policy", "") if ["pure", "versioned", "store"].contains(&self.value.as_str()) => {
                plan.policy = Some(self.value.clone());
            }
            ("policy", "") => return Err("hint `policy`: pure, versioned or store is expected".to_owned()),
            ("absent", "") => plan.absent = Some(self.json()),
            ("calls", "") => {
                plan.bounds.calls = self.list().iter().map(|count| self.number(count)).collect::<Result<_, _>>()?;
            }
            ("faults", "") => plan.bounds.faults = Some(self.number(&self.value)?),
            ("cancels", "") => plan.bounds.cancels = Some(self.number(&self.value)?),
            ("rule", "") => plan.finding.rule = Some(self.value.clone()),
            _ => return Err(format!("hint `{}`: known are {KEYS}", self.key)),
        }
        Ok(())
    }

    fn list(&self) -> Vec<String> {
        self.value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }

    fn number(&self, text: &str) -> Result<usize, String> {
        let number = text.parse().ok().filter(|number| *number <= 6);
        number.ok_or_else(|| format!("hint `{}`: numbers up to 6 are expected, not `{text}`", self.key))
    }

    /// JSON as it is; anything else is an expression of the language, evaluated in the target's module.
    fn json(&self) -> Value {
        serde_json::from_str(&self.value).unwrap_or_else(|_| json!({ "expr": self.value }))
    }
}

#[cfg(test)]
mod tests {
    use super::Hint;
    use crate::plan::{Plan, Target};
    use serde_json::json;

    fn applied(texts: &[&str]) -> Plan {
        let mut plan = Plan { targets: vec![Target::default()], ..Plan::default() };
        texts.iter().for_each(|text| Hint::parse(text).unwrap().apply(&mut plan).unwrap());
        plan
    }

    #[test]
    fn values_are_json_or_expressions() {
        let plan = applied(&["args.amount=5", "args.user=User('ada')", "receiver.size=2", "stub.redis.get=\"x=y\""]);
        assert_eq!(plan.targets[0].args["amount"], json!(5));
        assert_eq!(plan.targets[0].args["user"], json!({"expr": "User('ada')"}));
        assert_eq!(plan.targets[0].receiver, Some(json!({"size": 2})));
        assert_eq!((plan.stubs[0].call.as_str(), &plan.stubs[0].result), ("redis.get", &Some(json!("x=y"))));
    }

    #[test]
    fn lists_and_bounds() {
        let plan = applied(&["cells=self.a, self.b", "calls=2,3", "faults=1", "policy=store", "target=app:f"]);
        assert_eq!(plan.finding.cells, ["self.a", "self.b"]);
        assert_eq!((plan.bounds.calls, plan.bounds.faults), (vec![2, 3], Some(1)));
        assert_eq!(plan.targets[1].call, "app:f");
    }

    #[test]
    fn mistakes_are_told() {
        let complaint = |text| Hint::parse(text).unwrap_err();
        assert!(complaint("cells").contains("KEY=VALUE"));
        assert!(complaint("cell=self.a").contains("known are args.NAME"));
        assert!(complaint("policy=odd").contains("pure, versioned or store"));
        assert!(complaint("calls=many").contains("numbers up to 6"));
    }
}
