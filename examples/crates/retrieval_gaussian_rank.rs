//! Crate `retrieval-gaussian`: rank models for a query.
//!
//! `cargo run --release --example retrieval_gaussian_rank`, in the repository's folder

use std::error::Error;

use retrieval_gaussian::{Index, Query, RetrievalMethod, SearchOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let index = Index::open("weights/zoo/index.ganymede")?;
    // A query is a model, features of an image (`Query::feature`), or those of a set of images.
    let query = Query::model("micah");
    let options = SearchOptions::new(RetrievalMethod::FirstMoment);
    let ranking = index.search(&query, &options)?;
    for model in ranking.models.iter().take(5) {
        println!("{:<20} {:.4}", model.model, model.score);
    }
    assert_eq!(ranking.models.len(), index.len());
    Ok(())
}
