use crate::load::Load;
#[debug_async::main]
pub(super) async fn run(load: Load) -> anyhow::Result<()> {
    let _ = load;
    Ok(())
}
