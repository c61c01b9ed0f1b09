//! Metrics and the plateau schedule against recorded values of scikit-learn and PyTorch.

use coarsen_eval::metric::{accuracy, mae, roc_auc};
use coarsen_eval::plateau::{Mode, Plateau, PlateauConfig};
use coarsen_fixture::{Case, assert_close, cases, ops};
use ndarray::arr1;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

type Check = fn(&Case);

const CHECKS: &[(&str, Check)] = &[
    ("accuracy", check_accuracy),
    ("mae", check_mae),
    ("reduce_lr_on_plateau", check_plateau),
    ("roc_auc", check_roc_auc),
];

#[test]
fn every_recorded_case_agrees() {
    for (op, check) in CHECKS {
        for case in cases(CRATE, "metric", op) {
            check(&case);
            case.finish();
        }
    }
}

#[test]
fn every_recorded_operation_is_checked() {
    let checked: Vec<&str> = CHECKS.iter().map(|(op, _)| *op).collect();
    assert_eq!(ops(CRATE, "metric").into_iter().collect::<Vec<_>>(), checked);
}

fn check_value(case: &Case, got: f64) {
    assert_close(case, "value", arr1(&[got]).into_dyn().view(), case.real("out.value").view());
}

fn reals(case: &Case, name: &str) -> Vec<f64> {
    case.real(name).into_iter().collect()
}

fn check_accuracy(case: &Case) {
    let labels: Vec<u32> = case.int("label").iter().map(|&label| u32::try_from(label).unwrap()).collect();
    let classes = usize::try_from(case.config["classes"].as_u64().unwrap()).unwrap();
    check_value(case, accuracy(&reals(case, "logits"), classes, &labels).unwrap());
}

fn check_mae(case: &Case) {
    check_value(case, mae(&reals(case, "prediction"), &reals(case, "target")).unwrap());
}

fn check_roc_auc(case: &Case) {
    let positive: Vec<bool> = case.int("label").iter().map(|&label| label == 1).collect();
    check_value(case, roc_auc(&reals(case, "score"), &positive).unwrap());
}

fn check_plateau(case: &Case) {
    assert_eq!(case.config["threshold_mode"], "rel", "{case}: only relative thresholds are known");
    let number = |key: &str| case.config[key].as_f64().unwrap();
    let config = PlateauConfig {
        factor: number("factor"),
        patience: u32::try_from(case.config["patience"].as_u64().unwrap()).unwrap(),
        min_lr: number("min_lr"),
        threshold: number("threshold"),
    };
    config.check().unwrap();
    let mode: Mode = serde_json::from_value(case.config["mode"].clone()).unwrap();
    let mut plateau = Plateau::new(config, mode, number("lr"));
    let rates: Vec<f64> = reals(case, "value").into_iter().map(|value| plateau.step(value)).collect();
    assert_close(case, "lr", arr1(&rates).into_dyn().view(), case.real("out.lr").view());
}
