//! The errors of sources and sinks: each carries the connector's own error and answers as that one does.

use ognivo_data::fault::Explain;

use crate::kill_point::Killed;

/// Defines an error type of the face of this crate that carries a connector's own error.
macro_rules! connector_error {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub struct $name(Box<dyn ognivo_data::fault::Explain + Send + Sync>);

        impl $name {
            /// The connector's own error.
            pub fn new(cause: impl ognivo_data::fault::Explain + Send + Sync + 'static) -> $name {
                $name(Box::new(cause))
            }

            /// The kill point at which a test stopped the process, when that is what happened.
            pub fn killed(&self) -> Option<&crate::kill_point::Killed> {
                crate::connector_error::killed(self.0.as_ref())
            }
        }

        impl From<crate::kill_point::Killed> for $name {
            fn from(killed: crate::kill_point::Killed) -> $name {
                $name(Box::new(killed))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.0.source()
            }
        }

        impl ognivo_data::fault::Explain for $name {
            fn fault(&self) -> ognivo_data::fault::Fault {
                self.0.fault()
            }
            fn retry(&self) -> ognivo_data::fault::Retry {
                self.0.retry()
            }
            fn hint(&self) -> Option<String> {
                self.0.hint()
            }
        }
    };
}

pub(crate) use connector_error;

pub(crate) fn killed<'a>(cause: &'a (dyn Explain + Send + Sync + 'static)) -> Option<&'a Killed> {
    let cause: &(dyn std::error::Error + 'static) = cause;
    cause.downcast_ref::<Killed>()
}
