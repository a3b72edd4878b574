use std::path::Path;

/// A page of `docs`.
pub struct Page(String);

impl Page {
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        Self(std::fs::read_to_string(folder.join(name)).expect("a page"))
    }

    /// The code on the page in this language, block by block.
    pub fn blocks(&self, language: &str) -> Vec<&str> {
        let fence = format!("```{language}\n");
        let blocks = self.0.split(&fence).skip(1);
        blocks
            .map(|rest| rest.split("```").next().expect("the text after a fence"))
            .collect()
    }

    /// The one block of code in this language.
    pub fn block(&self, language: &str) -> &str {
        let [block] = self.blocks(language)[..] else {
            panic!("not one block of {language}");
        };
        block
    }
}

/// Puts other words in the place of those on the page, each of which must be there.
pub fn replace(text: &str, replacements: &[(&str, &str)]) -> String {
    replacements
        .iter()
        .fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the page does not say {from}");
            text.replace(from, to)
        })
}
