//! Parameters: declared once in a table, used for parsing, checks, help, reference pages and saved metadata.
//!
//! A stage declares a static table of [`ParamSpec`] and keeps its values in [`Params`]. Names, defaults and ranges are
//! Spark's. Typed access goes through a [`Key`]:
//!
//! ```
//! use ognivo_ml::param::{Key, ParamKind, ParamSpec, ParamValue, Params, Range};
//! const MAX_ITER: Key<i32> = Key::new("maxIter");
//! static PARAMS: &[ParamSpec] =
//!     &[ParamSpec::new("maxIter", ParamKind::Int, "maximum number of iterations").int(100).range(Range::AtLeast(0.0))];
//!
//! let mut params = Params::new("LogisticRegression", PARAMS);
//! assert_eq!(params.get(MAX_ITER), 100);
//! params.set("maxIter", ParamValue::Int(10)).unwrap();
//! assert_eq!(params.get(MAX_ITER), 10);
//! let error = params.set("maxItr", ParamValue::Int(10)).unwrap_err();
//! assert!(error.to_string().ends_with("has no parameter: maxItr"));
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::matrix::Matrix;
use ognivo_data::vector::{Vector, number_from_json, number_to_json};
use ognivo_data::version::SparkVersion;
use serde_json::{Map, Value, json};

use crate::uid::Uid;

/// The type of a parameter's value, by Spark's classes of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A double; integers are taken.
    Double,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    Long,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// A list of texts.
    StringArray,
    /// A list of 32-bit integers.
    IntArray,
    /// A list of doubles.
    DoubleArray,
    /// A list of lists of doubles.
    DoubleArrayArray,
    /// A vector.
    Vector,
    /// A matrix.
    Matrix,
}

impl ParamKind {
    /// What a person calls it, with its article.
    pub fn describe(self) -> &'static str {
        match self {
            ParamKind::Double => "a number",
            ParamKind::Int => "an integer",
            ParamKind::Long => "an integer",
            ParamKind::Boolean => "true or false",
            ParamKind::String => "a text",
            ParamKind::StringArray => "a list of texts",
            ParamKind::IntArray => "a list of integers",
            ParamKind::DoubleArray => "a list of numbers",
            ParamKind::DoubleArrayArray => "a list of lists of numbers",
            ParamKind::Vector => "a vector",
            ParamKind::Matrix => "a matrix",
        }
    }
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each variant is the value of the ParamKind of the same name")]
pub enum ParamValue {
    Double(f64),
    Int(i32),
    Long(i64),
    Boolean(bool),
    String(String),
    StringArray(Vec<String>),
    IntArray(Vec<i32>),
    DoubleArray(Vec<f64>),
    DoubleArrayArray(Vec<Vec<f64>>),
    Vector(Vector),
    Matrix(Matrix),
}

impl ParamValue {
    /// The kind of this value.
    pub fn kind(&self) -> ParamKind {
        match self {
            ParamValue::Double(_) => ParamKind::Double,
            ParamValue::Int(_) => ParamKind::Int,
            ParamValue::Long(_) => ParamKind::Long,
            ParamValue::Boolean(_) => ParamKind::Boolean,
            ParamValue::String(_) => ParamKind::String,
            ParamValue::StringArray(_) => ParamKind::StringArray,
            ParamValue::IntArray(_) => ParamKind::IntArray,
            ParamValue::DoubleArray(_) => ParamKind::DoubleArray,
            ParamValue::DoubleArrayArray(_) => ParamKind::DoubleArrayArray,
            ParamValue::Vector(_) => ParamKind::Vector,
            ParamValue::Matrix(_) => ParamKind::Matrix,
        }
    }

    /// Spark's JSON of the value: doubles carry a fraction or exponent, or are `"NaN"`, `"Inf"`, `"-Inf"`.
    pub fn to_json(&self) -> Value {
        let numbers = |values: &[f64]| Value::Array(values.iter().map(|&value| number_to_json(value)).collect());
        match self {
            ParamValue::Double(value) => number_to_json(*value),
            ParamValue::Int(value) => json!(value),
            ParamValue::Long(value) => json!(value),
            ParamValue::Boolean(value) => json!(value),
            ParamValue::String(value) => json!(value),
            ParamValue::StringArray(values) => json!(values),
            ParamValue::IntArray(values) => json!(values),
            ParamValue::DoubleArray(values) => numbers(values),
            ParamValue::DoubleArrayArray(lists) => Value::Array(lists.iter().map(|values| numbers(values)).collect()),
            ParamValue::Vector(vector) => vector.to_json(),
            ParamValue::Matrix(matrix) => matrix.to_json(),
        }
    }

    /// Reads a value of `kind` from Spark's JSON or from a job file; `None` when it is of another kind.
    ///
    /// Integers are taken for doubles, and doubles without a fraction for integers, as Spark does.
    pub fn from_json(kind: ParamKind, value: &Value) -> Option<ParamValue> {
        fn list<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
            value.as_array()?.iter().map(item).collect()
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let int = |value: &Value| i32::try_from(integer(value)?).ok();
        Some(match kind {
            ParamKind::Double => ParamValue::Double(number_from_json(value)?),
            ParamKind::Int => ParamValue::Int(int(value)?),
            ParamKind::Long => ParamValue::Long(integer(value)?),
            ParamKind::Boolean => ParamValue::Boolean(value.as_bool()?),
            ParamKind::String => ParamValue::String(text(value)?),
            ParamKind::StringArray => ParamValue::StringArray(list(value, text)?),
            ParamKind::IntArray => ParamValue::IntArray(list(value, int)?),
            ParamKind::DoubleArray => ParamValue::DoubleArray(list(value, number_from_json)?),
            ParamKind::DoubleArrayArray => {
                ParamValue::DoubleArrayArray(list(value, |inner| list(inner, number_from_json))?)
            }
            ParamKind::Vector => ParamValue::Vector(Vector::from_json(value)?),
            ParamKind::Matrix => ParamValue::Matrix(Matrix::from_json(value)?),
        })
    }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
    })
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamValue::String(text) => f.write_str(text),
            other => write!(f, "{}", other.to_json()),
        }
    }
}

/// The value that holds while none is set.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "each variant is the value of the ParamKind of the same name")]
pub enum DefaultValue {
    /// None: the parameter is optional, or must be set.
    Absent,
    /// `<uid>__output`, Spark's default of `outputCol`.
    UidOutput,
    Double(f64),
    Int(i32),
    Long(i64),
    Boolean(bool),
    String(&'static str),
}

/// The values that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Every value of its kind.
    Any,
    /// Numbers from this one on.
    AtLeast(f64),
    /// Numbers above this one.
    Above(f64),
    /// Numbers from the first to the second, both included.
    Between(f64, f64),
    /// Numbers between the first and the second, both excluded.
    Inside(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Lists of at least so many numbers, each above the one before; NaN is above nothing.
    Ascending(usize),
}

impl Range {
    fn holds(self, value: &ParamValue) -> bool {
        let number = match value {
            ParamValue::Double(value) => Some(*value),
            ParamValue::Int(value) => Some(f64::from(*value)),
            ParamValue::Long(value) => Some(*value as f64),
            _ => None,
        };
        match (self, number, value) {
            (Range::AtLeast(least), Some(number), _) => number >= least,
            (Range::Above(bound), Some(number), _) => number > bound,
            (Range::Between(least, most), Some(number), _) => (least..=most).contains(&number),
            (Range::Inside(low, high), Some(number), _) => low < number && number < high,
            (Range::OneOf(words), _, ParamValue::String(word)) => words.contains(&word.as_str()),
            (Range::Ascending(least), _, ParamValue::DoubleArray(list)) => is_ascending(list, least),
            (Range::Ascending(least), _, ParamValue::DoubleArrayArray(lists)) => {
                lists.iter().all(|list| is_ascending(list, least))
            }
            _ => true,
        }
    }

    /// What a person reads after «must be».
    pub fn describe(self) -> String {
        match self {
            Range::Any => "any value".to_owned(),
            Range::AtLeast(least) => format!("at least {least}"),
            Range::Above(bound) => format!("above {bound}"),
            Range::Between(least, most) => format!("between {least} and {most}"),
            Range::Inside(low, high) => format!("above {low} and below {high}"),
            Range::OneOf(words) => format!("one of {}", words.join(", ")),
            Range::Ascending(least) => format!("of {least} or more numbers, each above the one before"),
        }
    }
}

fn is_ascending(list: &[f64], least: usize) -> bool {
    list.len() >= least && list.windows(2).all(|pair| pair[0] < pair[1])
}

/// The declaration of one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// Spark's name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ParamKind,
    /// One sentence without full stop.
    pub doc: &'static str,
    /// What holds while it is not set.
    pub default: DefaultValue,
    /// What it may be set to.
    pub range: Range,
    /// The first of our versions whose Spark knows it; it is not written into older layouts.
    pub since: SparkVersion,
}

impl ParamSpec {
    /// A parameter without default, of any value, known to every version.
    pub const fn new(name: &'static str, kind: ParamKind, doc: &'static str) -> ParamSpec {
        ParamSpec { name, kind, doc, default: DefaultValue::Absent, range: Range::Any, since: SparkVersion::V2_4 }
    }

    /// With a double as default.
    pub const fn double(mut self, default: f64) -> ParamSpec {
        self.default = DefaultValue::Double(default);
        self
    }

    /// With an integer as default.
    pub const fn int(mut self, default: i32) -> ParamSpec {
        self.default = DefaultValue::Int(default);
        self
    }

    /// With a 64-bit integer as default.
    pub const fn long(mut self, default: i64) -> ParamSpec {
        self.default = DefaultValue::Long(default);
        self
    }

    /// With a boolean as default.
    pub const fn boolean(mut self, default: bool) -> ParamSpec {
        self.default = DefaultValue::Boolean(default);
        self
    }

    /// With a text as default.
    pub const fn text(mut self, default: &'static str) -> ParamSpec {
        self.default = DefaultValue::String(default);
        self
    }

    /// With `<uid>__output` as default.
    pub const fn uid_output(mut self) -> ParamSpec {
        self.default = DefaultValue::UidOutput;
        self
    }

    /// Only with values in `range`.
    pub const fn range(mut self, range: Range) -> ParamSpec {
        self.range = range;
        self
    }

    /// Known only from `version` on.
    pub const fn since(mut self, version: SparkVersion) -> ParamSpec {
        self.since = version;
        self
    }

    fn default_for(&self, uid: &Uid) -> Option<ParamValue> {
        Some(match self.default {
            DefaultValue::Absent => return None,
            DefaultValue::UidOutput => ParamValue::String(format!("{uid}__output")),
            DefaultValue::Double(value) => ParamValue::Double(value),
            DefaultValue::Int(value) => ParamValue::Int(value),
            DefaultValue::Long(value) => ParamValue::Long(value),
            DefaultValue::Boolean(value) => ParamValue::Boolean(value),
            DefaultValue::String(value) => ParamValue::String(value.to_owned()),
        })
    }
}

/// A typed name of a parameter.
#[derive(Debug)]
pub struct Key<T> {
    /// Spark's name.
    pub name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Key<T> {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> Key<T> {
    /// The key of the parameter `name`, whose values are read as `T`.
    pub const fn new(name: &'static str) -> Key<T> {
        Key { name, value: PhantomData }
    }
}

/// A Rust type that a parameter's value is read as and written from.
pub trait ParamType: Sized {
    /// The value as this type; `None` when it is of another kind.
    fn read(value: &ParamValue) -> Option<Self>;
    /// The value that holds `self`.
    fn write(self) -> ParamValue;
}

macro_rules! param_types {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl ParamType for $type {
            fn read(value: &ParamValue) -> Option<$type> {
                match value {
                    ParamValue::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
            fn write(self) -> ParamValue {
                ParamValue::$variant(self)
            }
        }

        impl From<$type> for ParamValue {
            fn from(value: $type) -> ParamValue {
                ParamValue::$variant(value)
            }
        }
    )*};
}

param_types! {
    f64 => Double, i32 => Int, i64 => Long, bool => Boolean, String => String,
    Vec<String> => StringArray, Vec<i32> => IntArray, Vec<f64> => DoubleArray,
    Vec<Vec<f64>> => DoubleArrayArray, Vector => Vector, Matrix => Matrix,
}

impl From<&str> for ParamValue {
    fn from(text: &str) -> ParamValue {
        ParamValue::String(text.to_owned())
    }
}

/// A parameter was given a name or value that its stage does not take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The stage has no such parameter.
    #[error("stage `{uid}` has no parameter: {name}")]
    Unknown {
        /// The stage.
        uid: Uid,
        /// The name that was given.
        name: String,
        /// The names that it has.
        known: Vec<&'static str>,
    },
    /// The value is of another kind.
    #[error("stage `{uid}`: `{name}` must be {}: {found}", wanted.describe())]
    WrongKind {
        /// The stage.
        uid: Uid,
        /// The parameter.
        name: &'static str,
        /// What it takes.
        wanted: ParamKind,
        /// What was given, as text.
        found: String,
    },
    /// The value is of the right kind and out of range.
    #[error("stage `{uid}`: `{name}` must be {}: {found}", range.describe())]
    OutOfRange {
        /// The stage.
        uid: Uid,
        /// The parameter.
        name: &'static str,
        /// What it takes.
        range: Range,
        /// What was given, as text.
        found: String,
    },
    /// The parameter has no default and was not set.
    #[error("stage `{uid}`: `{name}` is not set")]
    Missing {
        /// The stage.
        uid: Uid,
        /// The parameter.
        name: &'static str,
    },
    /// Parameters that are fine by themselves contradict each other.
    #[error("stage `{uid}`: {reason}")]
    Conflict {
        /// The stage.
        uid: Uid,
        /// What contradicts what.
        reason: String,
    },
}

impl Explain for ParamError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            ParamError::Unknown { name, known, .. } => {
                let name = nearest(name, known.iter().copied())?;
                Some(format!("did you mean `{name}`?"))
            }
            ParamError::OutOfRange { range: Range::OneOf(words), found, .. } => {
                let word = nearest(found, words.iter().copied())?;
                Some(format!("did you mean `{word}`?"))
            }
            _ => None,
        }
    }
}

/// The values of one stage's parameters, its uid, and the Spark version whose numbers it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    uid: Uid,
    version: SparkVersion,
    specs: &'static [ParamSpec],
    set: BTreeMap<&'static str, ParamValue>,
    /// Defaults that the stage's directory said and that are not the declared ones.
    defaults: BTreeMap<&'static str, ParamValue>,
}

impl Params {
    /// Nothing set, a new uid for `class_name`, the newest version.
    pub fn new(class_name: &str, specs: &'static [ParamSpec]) -> Params {
        let (set, defaults) = (BTreeMap::new(), BTreeMap::new());
        Params { uid: Uid::unique(class_name), version: SparkVersion::default(), specs, set, defaults }
    }

    /// The stage's uid.
    pub fn uid(&self) -> &Uid {
        &self.uid
    }

    /// Gives the stage another uid.
    pub fn set_uid(&mut self, uid: Uid) {
        self.uid = uid;
    }

    /// Whose numbers the stage gives.
    pub fn version(&self) -> SparkVersion {
        self.version
    }

    /// Makes the stage give the numbers of `version`.
    pub fn set_version(&mut self, version: SparkVersion) {
        self.version = version;
    }

    /// The declarations.
    pub fn specs(&self) -> &'static [ParamSpec] {
        self.specs
    }

    /// The values that were set, by name.
    pub fn explicit(&self) -> impl Iterator<Item = (&'static str, &ParamValue)> {
        self.set.iter().map(|(&name, value)| (name, value))
    }

    /// The names of the values that were set, and of defaults that a directory said in the place of the declared ones.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        self.set.keys().chain(self.defaults.keys()).copied()
    }

    /// Whether the parameter was set.
    pub fn is_set<T>(&self, key: Key<T>) -> bool {
        self.set.contains_key(key.name)
    }

    /// The declaration of `name`.
    ///
    /// # Errors
    /// [`ParamError::Unknown`].
    pub fn spec(&self, name: &str) -> Result<&'static ParamSpec, ParamError> {
        self.specs.iter().find(|spec| spec.name == name).ok_or_else(|| ParamError::Unknown {
            uid: self.uid.clone(),
            name: name.to_owned(),
            known: self.specs.iter().map(|spec| spec.name).collect(),
        })
    }

    /// Sets `name` to `value`.
    ///
    /// # Errors
    /// [`ParamError`] for an unknown name, a value of another kind, or one out of range.
    pub fn set(&mut self, name: &str, value: ParamValue) -> Result<(), ParamError> {
        let (spec, value) = self.checked(name, value)?;
        self.set.insert(spec.name, value);
        Ok(())
    }

    /// The declaration of `name`, and the value when it takes it.
    fn checked(&self, name: &str, value: ParamValue) -> Result<(&'static ParamSpec, ParamValue), ParamError> {
        let spec = self.spec(name)?;
        if value.kind() != spec.kind {
            return Err(self.wrong_kind(spec, value.to_string()));
        }
        if !spec.range.holds(&value) {
            let found = value.to_string();
            return Err(ParamError::OutOfRange { uid: self.uid.clone(), name: spec.name, range: spec.range, found });
        }
        Ok((spec, value))
    }

    /// Sets `name` to a value written in JSON, as job files and metadata hold it.
    ///
    /// # Errors
    /// As [`set`](Params::set).
    pub fn set_json(&mut self, name: &str, value: &Value) -> Result<(), ParamError> {
        self.set(name, self.read_json(name, value)?)
    }

    /// Makes a value written in JSON the default of `name`: it holds while none is set, and counts as none.
    ///
    /// # Errors
    /// As [`set`](Params::set).
    pub fn set_default_json(&mut self, name: &str, value: &Value) -> Result<(), ParamError> {
        let (spec, value) = self.checked(name, self.read_json(name, value)?)?;
        self.defaults.insert(spec.name, value);
        Ok(())
    }

    fn read_json(&self, name: &str, value: &Value) -> Result<ParamValue, ParamError> {
        let spec = self.spec(name)?;
        ParamValue::from_json(spec.kind, value).ok_or_else(|| self.wrong_kind(spec, value.to_string()))
    }

    /// What holds while the parameter is not set.
    fn default_of(&self, spec: &ParamSpec) -> Option<ParamValue> {
        self.defaults.get(spec.name).cloned().or_else(|| spec.default_for(&self.uid))
    }

    fn wrong_kind(&self, spec: &ParamSpec, found: String) -> ParamError {
        ParamError::WrongKind { uid: self.uid.clone(), name: spec.name, wanted: spec.kind, found }
    }

    /// Sets a parameter from code; the range is checked by [`check`](Params::check), before the stage works.
    ///
    /// # Panics
    /// When the stage does not declare the parameter with this type.
    pub fn put<T: ParamType>(&mut self, key: Key<T>, value: T) {
        let value = value.write();
        let spec = self.spec(key.name).expect("a stage declares the parameters it sets");
        assert_eq!(value.kind(), spec.kind, "a key has the type that its parameter declares");
        self.set.insert(spec.name, value);
    }

    /// Forgets what was set, so that the default holds.
    pub fn clear<T>(&mut self, key: Key<T>) {
        self.set.remove(key.name);
    }

    /// The value that was set, else the default; `None` when there is neither.
    ///
    /// # Panics
    /// When the stage does not declare the parameter with this type.
    pub fn find<T: ParamType>(&self, key: Key<T>) -> Option<T> {
        let spec = self.spec(key.name).expect("a stage declares the parameters it reads");
        let value = self.set.get(key.name).cloned().or_else(|| self.default_of(spec))?;
        Some(T::read(&value).expect("a key has the type that its parameter declares"))
    }

    /// The value of a parameter that has a default.
    ///
    /// # Panics
    /// When there is neither a value nor a default; read such parameters with [`require`](Params::require).
    pub fn get<T: ParamType>(&self, key: Key<T>) -> T {
        self.find(key).expect("a parameter read by `get` has a default")
    }

    /// The value of a parameter that must be set.
    ///
    /// # Errors
    /// [`ParamError::Missing`].
    pub fn require<T: ParamType>(&self, key: Key<T>) -> Result<T, ParamError> {
        self.find(key).ok_or(ParamError::Missing { uid: self.uid.clone(), name: key.name })
    }

    /// Checks the range of every value that was set.
    ///
    /// # Errors
    /// [`ParamError::OutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), ParamError> {
        for (name, value) in &self.set {
            let spec = self.spec(name)?;
            if !spec.range.holds(value) {
                let found = value.to_string();
                return Err(ParamError::OutOfRange {
                    uid: self.uid.clone(),
                    name: spec.name,
                    range: spec.range,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Copies the values and defaults that are set in `other` and that this stage declares too, with uid and version: what an
    /// estimator hands to its model.
    pub fn inherit(&mut self, other: &Params) {
        self.uid = other.uid.clone();
        self.version = other.version;
        for (&name, value) in &other.set {
            if let Ok(spec) = self.spec(name) {
                self.set.insert(spec.name, value.clone());
            }
        }
        for (&name, value) in &other.defaults {
            if let Ok(spec) = self.spec(name) {
                self.defaults.insert(spec.name, value.clone());
            }
        }
    }

    /// `paramMap` of the metadata: what was set and what Spark of `version` knows.
    pub fn param_map(&self, version: SparkVersion) -> Map<String, Value> {
        let known = self.specs.iter().filter(|spec| spec.since <= version);
        known.filter_map(|spec| Some((spec.name.to_owned(), self.set.get(spec.name)?.to_json()))).collect()
    }

    /// `defaultParamMap` of the metadata: the defaults that Spark of `version` knows.
    pub fn default_param_map(&self, version: SparkVersion) -> Map<String, Value> {
        let known = self.specs.iter().filter(|spec| spec.since <= version);
        known.filter_map(|spec| Some((spec.name.to_owned(), self.default_of(spec)?.to_json()))).collect()
    }
}
