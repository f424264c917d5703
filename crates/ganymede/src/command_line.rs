//! What a command line leaves out is as the library has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Debug;

use clap::{Args, Command};

use crate::index::{BuildOptions, ChangeOptions, EvaluateOptions};
use crate::{
    convert, edit, find_and_invert, generate, interpolate, invert, measure, search, study, train,
    transfer, zoo,
};

#[test]
fn defaults_stand_once() {
    fn check<T: Args + Default + PartialEq + Debug>() {
        let command = T::augment_args(Command::new("job"));
        // No option is there twice.
        command.clone().debug_assert();
        let matches = command.try_get_matches_from(["job"]).unwrap();
        assert_eq!(T::from_arg_matches(&matches).unwrap(), T::default());
    }
    check::<convert::Options>();
    check::<edit::Options>();
    check::<find_and_invert::Options>();
    check::<generate::Options>();
    check::<BuildOptions>();
    check::<ChangeOptions>();
    check::<EvaluateOptions>();
    check::<interpolate::Options>();
    check::<invert::Options>();
    check::<measure::Options>();
    check::<search::Options>();
    check::<study::inversion::Options>();
    check::<study::transfer::Options>();
    check::<train::Options>();
    check::<transfer::Options>();
    check::<zoo::Options>();
}
