//! The files of a configuration: read together, understood as one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use millrace_crds::{Diagnostic, Loaded, load_with_warnings};

use super::{ConfigError, Rule};

/// Larger files are refused before they are read, in bytes.
const LARGEST: u64 = 16 << 20;
/// Between two files, where they are read as one.
const BETWEEN: &str = "\n---\n";
/// In the folder of a file that a cluster's operator writes: which revision of it that is.
const REVISION: &str = "revision";
/// And which pods it is for.
const TEMPLATE: &str = "template";

/// What the files of a configuration say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// Name and text of each.
    pub texts: Vec<(String, String)>,
    /// The revision that all of them have reached, where a number stands beside each of them.
    pub number: Option<u64>,
    /// The template of the pods that it is for, where a name stands beside one of them.
    pub template: Option<String>,
}

impl Texts {
    /// Reads `files`.
    ///
    /// # Errors
    /// For the first that cannot be read, or is too large.
    pub fn read(files: &[PathBuf]) -> Result<Self, ConfigError> {
        // Numbers first: where the files are replaced meanwhile, what is read is newer than it says, and is read again.
        let numbers: Option<Vec<u64>> = files.iter().map(|file| number_beside(file)).collect();
        let texts: Result<_, _> =
            files.iter().map(|file| Ok((file.display().to_string(), read(file)?))).collect();
        Ok(Self {
            texts: texts?,
            number: numbers.and_then(|numbers| numbers.into_iter().min()),
            template: files.iter().find_map(|file| beside(file, TEMPLATE)),
        })
    }

    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(|(_, text)| text.trim().is_empty())
    }

    /// Names their content.
    pub fn hash(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.joined().as_bytes());
        let number =
            digest.as_ref().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:012x}")
    }

    /// What they say, if it is not against `rule` either.
    ///
    /// # Errors
    /// As [`Self::understand`], and what the rule says.
    pub fn understand_by(&self, rule: Rule) -> Result<Loaded, ConfigError> {
        let loaded = self.understand()?;
        rule(&loaded.resolved)?;
        Ok(loaded)
    }

    /// What they say.
    ///
    /// # Errors
    /// All that is wrong, by file and line.
    pub fn understand(&self) -> Result<Loaded, ConfigError> {
        if let [(name, text)] = self.texts.as_slice() {
            return load_with_warnings(name, text).map_err(ConfigError::Wrong);
        }
        // Each for itself first: what is left open in one of them must not be looked for in the next.
        let of_each = self.texts.iter().filter_map(|(name, text)| millrace_crds::read(name, text).err());
        let wrong: Vec<_> = of_each.flatten().collect();
        if !wrong.is_empty() {
            return Err(ConfigError::Wrong(wrong));
        }
        match load_with_warnings("", &self.joined()) {
            Ok(mut loaded) => {
                for warning in &mut loaded.warnings {
                    self.locate(warning);
                }
                Ok(loaded)
            }
            Err(mut wrong) => {
                for diagnostic in &mut wrong {
                    self.locate(diagnostic);
                }
                Err(ConfigError::Wrong(wrong))
            }
        }
    }

    fn joined(&self) -> String {
        self.texts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(BETWEEN)
    }

    /// Names the file, and the line within it, of what is said of all of them as one.
    fn locate(&self, diagnostic: &mut Diagnostic) {
        let mut before = 0;
        for (name, text) in &self.texts {
            let lines = lines(text);
            diagnostic.file.clone_from(name);
            if diagnostic.line <= before + lines {
                break;
            }
            before += lines + lines_between();
        }
        diagnostic.line = diagnostic.line.saturating_sub(before).max(1);
    }
}

/// Lines of which the last one may be without an end.
fn lines(text: &str) -> usize {
    text.matches('\n').count() + 1
}

/// Lines between the last one of a file and the first one of the next.
fn lines_between() -> usize {
    BETWEEN.matches('\n').count() - 1
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let failed = |e| ConfigError::Read { file: file.to_owned(), source: e };
    if fs::metadata(file).map_err(failed)?.len() > LARGEST {
        return Err(ConfigError::Size(file.to_owned()));
    }
    fs::read_to_string(file).map_err(failed)
}

fn number_beside(file: &Path) -> Option<u64> {
    beside(file, REVISION)?.parse().ok()
}

/// The word in the file `name` of the same folder.
fn beside(file: &Path, name: &str) -> Option<String> {
    let beside = file.with_file_name(name);
    fs::metadata(&beside).ok().filter(|found| found.is_file() && found.len() <= 64)?;
    let word = fs::read_to_string(beside).ok()?.trim().to_owned();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str =
        "apiVersion: millrace.dev/v1alpha1\nkind: Feed\nmetadata: {name: f}\nspec: {source: {command: [x]}}";

    fn stream(feed: &str) -> String {
        format!(
            "apiVersion: millrace.dev/v1alpha1\nkind: Stream\nmetadata: {{name: s}}\nspec:\n  path: /s\n  feeds: [{feed}]\n"
        )
    }

    fn texts(texts: &[(&str, &str)]) -> Texts {
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Texts { texts, number: None, template: None }
    }

    fn wrong(given: &[(&str, &str)]) -> Vec<String> {
        texts(given).understand().unwrap_err().to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_one_file_names_may_be_in_another() {
        let right = stream("f");
        for feed in [FEED.to_owned(), format!("{FEED}\n"), format!("---\n{FEED}\n---\n")] {
            let loaded = texts(&[("a", &feed), ("b", &right)]).understand().unwrap();
            assert_eq!((loaded.resolved.feeds.len(), loaded.resolved.streams.len()), (1, 1), "{feed}");
        }
    }

    #[test]
    fn an_error_names_the_file_and_the_line_within_it() {
        let nobody = stream("nobody");
        for end in ["", "\n", "\n\n\n"] {
            let feed = format!("{FEED}{end}");
            let between = wrong(&[("a.yaml", &feed), ("b.yaml", &nobody), ("c.yaml", "")]);
            assert!(between[0].starts_with("b.yaml:6: Stream/s spec.feeds[0]"), "{between:?}");
            let between = wrong(&[("b.yaml", &nobody), ("a.yaml", &feed)]);
            assert!(between[0].starts_with("b.yaml:6: Stream/s spec.feeds[0]"), "{between:?}");
        }
        let twice = wrong(&[("a.yaml", FEED), ("b.yaml", FEED)]);
        assert!(twice[0].starts_with("b.yaml:3: Feed/f"), "{twice:?}");
        let open = wrong(&[("a.yaml", "kind: [Feed\n"), ("b.yaml", FEED), ("c.yaml", "{")]);
        assert!(open[0].starts_with("a.yaml:") && open.last().unwrap().starts_with("c.yaml:1:"), "{open:?}");
    }

    #[test]
    fn a_number_counts_where_every_file_has_one_and_then_the_lowest() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["one", "two"].map(|name| directory.path().join(name).join("x.yaml"));
        for file in &files {
            fs::create_dir(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        assert_eq!(Texts::read(&files).unwrap().number, None);
        fs::write(files[0].with_file_name("revision"), "12\n").unwrap();
        assert_eq!(Texts::read(&files).unwrap().number, None);
        fs::write(files[1].with_file_name("revision"), "11").unwrap();
        assert_eq!(Texts::read(&files).unwrap().number, Some(11));
        fs::write(files[1].with_file_name("revision"), "eleven").unwrap();
        assert_eq!(Texts::read(&files).unwrap().number, None);
    }
}
