use keygate_core::Problem;

/// Everything that `page` lists page by page, each after what `id` says of the last item before.
pub(super) async fn all_pages<T, I, F>(
    page: impl Fn(Option<I>) -> F,
    id: impl Fn(&T) -> I,
) -> Result<Vec<T>, Problem>
where
    F: Future<Output = Result<Vec<T>, Problem>>,
{
    let mut all = Vec::new();
    loop {
        let next = page(all.last().map(&id)).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}
