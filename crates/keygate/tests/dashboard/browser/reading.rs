use super::{Browser, reason};

impl Browser {
    pub async fn url(&self) -> String {
        self.text_of("return location.href").await
    }

    pub async fn title(&self) -> String {
        self.text_of("return document.title").await
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        self.text_of("return document.body.innerText").await
    }

    /// Waits until this can be read on the page. Spaces and lines make no difference.
    pub async fn see(&self, text: &str) {
        let what = format!("see “{text}”");
        self.until(&what, async || self.ask("see", &[text]).await)
            .await;
    }

    /// Waits until this can no longer be read on the page.
    pub async fn dont_see(&self, text: &str) {
        let what = format!("lose sight of “{text}”");
        self.until(&what, async || self.ask("dont_see", &[text]).await)
            .await;
    }

    /// Clicks the link or the button with this text.
    pub async fn click(&self, text: &str) {
        self.click_one(&format!("click “{text}”"), &[text]).await;
    }

    /// Clicks the one that stands in a table's row, or an item of a list, with these words.
    pub async fn click_in(&self, row: &str, text: &str) {
        let what = format!("click “{text}” beside “{row}”");
        self.click_one(&what, &[text, row]).await;
    }

    async fn click_one(&self, what: &str, args: &[&str]) {
        self.until(what, async || {
            let element = self.element(self.ask("clickable", args).await?);
            element.click().await.map_err(|error| reason(&error))
        })
        .await;
        self.settle().await;
    }
}
