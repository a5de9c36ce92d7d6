//! Grids: all combinations of values for some parameters.

use crate::param::ParamValue;
use crate::param_map::ParamMap;
use crate::stage::Configured;
use crate::uid::Uid;

/// Makes the parameter maps of a grid.
///
/// Same as PySpark (all versions): the maps are in the order in which the parameters were added, the last one varying fastest; a
/// parameter that is added again keeps its place and gets the new values. A grid without parameters is one map that changes nothing,
/// a parameter without values makes a grid without maps.
/// Differs from Spark in Scala: there parameters come in the order of a hash table, by uids, and the first one varies fastest. The
/// order decides nothing but the order of the metrics, and which of equally good settings is taken.
///
/// ```
/// use ognivo_ml::classification::LogisticRegression;
/// use ognivo_ml::tuning::ParamGridBuilder;
/// let regression = LogisticRegression::new();
/// let grid = ParamGridBuilder::new()
///     .base_on(&regression, "maxIter", 10)
///     .add_grid(&regression, "regParam", [0.0, 0.1])
///     .build();
/// let shown: Vec<String> = grid.iter().map(|map| map.to_string()).collect();
/// assert_eq!(shown, ["maxIter 10, regParam 0.0", "maxIter 10, regParam 0.1"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ParamGridBuilder {
    axes: Vec<Axis>,
}

/// The values of one parameter.
#[derive(Debug, Clone)]
struct Axis {
    stage: Uid,
    name: String,
    values: Vec<ParamValue>,
}

impl ParamGridBuilder {
    /// A grid without parameters.
    pub fn new() -> ParamGridBuilder {
        ParamGridBuilder::default()
    }

    /// With these values for the parameter `name` of `stage`; whether the stage takes them is looked at before anything is fitted.
    pub fn add_grid<V: Into<ParamValue>>(
        self,
        stage: &dyn Configured,
        name: &str,
        values: impl IntoIterator<Item = V>,
    ) -> ParamGridBuilder {
        self.add_axis(stage.uid(), name, values.into_iter().map(Into::into).collect())
    }

    /// With one value for the parameter `name` of `stage`, in every map.
    pub fn base_on(self, stage: &dyn Configured, name: &str, value: impl Into<ParamValue>) -> ParamGridBuilder {
        self.add_axis(stage.uid(), name, vec![value.into()])
    }

    /// [`add_grid`](ParamGridBuilder::add_grid) by the uid of the stage.
    pub fn add_axis(mut self, stage: &Uid, name: &str, values: Vec<ParamValue>) -> ParamGridBuilder {
        match self.axes.iter_mut().find(|axis| axis.stage == *stage && axis.name == name) {
            Some(axis) => axis.values = values,
            None => self.axes.push(Axis { stage: stage.clone(), name: name.to_owned(), values }),
        }
        self
    }

    /// How many maps there will be; `None` when they cannot be counted.
    pub fn n_maps(&self) -> Option<usize> {
        self.axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.values.len()))
    }

    /// All combinations.
    pub fn build(&self) -> Vec<ParamMap> {
        let mut maps = vec![ParamMap::new()];
        for axis in &self.axes {
            let extended = maps.iter().flat_map(|map| {
                axis.values.iter().map(|value| {
                    let mut map = map.clone();
                    map.put(&axis.stage, &axis.name, value.clone());
                    map
                })
            });
            maps = extended.collect();
        }
        maps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::LogisticRegression;

    fn shown(grid: &ParamGridBuilder) -> Vec<String> {
        grid.build().iter().map(ParamMap::to_string).collect()
    }

    #[test]
    fn the_last_parameter_varies_fastest() {
        let stage = LogisticRegression::new();
        let grid = ParamGridBuilder::new().add_grid(&stage, "maxIter", [1, 5]).add_grid(&stage, "regParam", [0.5, 2.0]);
        let expected = [
            "maxIter 1, regParam 0.5",
            "maxIter 1, regParam 2.0",
            "maxIter 5, regParam 0.5",
            "maxIter 5, regParam 2.0",
        ];
        assert_eq!(shown(&grid), expected);
        assert_eq!(grid.n_maps(), Some(4));
    }

    #[test]
    fn a_parameter_that_is_added_again_keeps_its_place() {
        let stage = LogisticRegression::new();
        let grid = ParamGridBuilder::new().add_grid(&stage, "maxIter", [1, 5]).base_on(&stage, "regParam", 0.5);
        assert_eq!(shown(&grid.add_grid(&stage, "maxIter", [7])), ["maxIter 7, regParam 0.5"]);
    }

    #[test]
    fn a_grid_of_nothing_is_one_map_and_a_parameter_of_nothing_makes_none() {
        assert_eq!(ParamGridBuilder::new().build(), [ParamMap::new()]);
        let none: [f64; 0] = [];
        let grid = ParamGridBuilder::new().add_grid(&LogisticRegression::new(), "regParam", none);
        assert_eq!((grid.build().len(), grid.n_maps()), (0, Some(0)));
    }
}
