use std::fmt;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a mapping, by key.
    Key(String),
    /// Into a list, by place.
    Index(usize),
}

/// The way from a document's top to a field: `spec.source.command[3]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath(pub Vec<Step>);

impl FieldPath {
    /// A path of keys, as `spec.source`.
    pub fn of(keys: &str) -> Self {
        Self(keys.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The field of this name below.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The element at this place below.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Key(key) if key.contains(['.', '[', '/']) => write!(out, "[{key:?}]")?,
                Step::Key(key) if place == 0 => out.write_str(key)?,
                Step::Key(key) => write!(out, ".{key}")?,
            }
        }
        Ok(())
    }
}
