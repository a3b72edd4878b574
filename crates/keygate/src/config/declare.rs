//! `settings!`, by which each setting is said once.

/// Makes of each `[table]` a struct with the fields that are declared, of each `[[table]]` one of which there may
/// be several; `Sections`, which has all of them; and `SETTINGS`, with what is declared of each field.
macro_rules! settings {
    ($([$($table:ident)? $([$list:ident])?] $Section:ident { $($fields:tt)+ })+) => {
        $(section! { [$($table)? $([$list])?] $($table)? $($list)? $Section { $($fields)+ } })+

        /// The value of every setting.
        pub(crate) struct Sections {
            $($(pub(crate) $table: $Section,)? $(pub(crate) $list: Vec<$Section>,)?)+
        }

        impl Sections {
            pub(super) fn read(source: Source<'_>) -> Result<Self, Failure> {
                Ok(Self {
                    $(
                        $($table: $Section::read(source)?,)?
                        $($list: source.read_list(stringify!($list))?,)?
                    )+
                })
            }
        }

        /// Every setting there is.
        pub(crate) static SETTINGS: LazyLock<Vec<&'static Setting>> =
            LazyLock::new(|| [$($Section::SETTINGS),+].into_iter().flatten().collect());
    };
}

macro_rules! section {
    ($heading:tt $table:ident $Section:ident { $(
        $(#[doc = $help:literal])+
        #[setting(example = $example:literal $(, $key:ident = $value:literal)*)]
        $field:ident: $type:ty,
    )+ }) => {
        pub(crate) struct $Section {
            $($(#[doc = $help])+ pub(crate) $field: $type,)+
        }

        impl Section for $Section {
            const SETTINGS: &'static [Setting] = &[$(Setting {
                name: concat!(stringify!($table), ".", stringify!($field)),
                heading: stringify!($heading),
                help: concat!($($help),+).trim_ascii(),
                kind: <$type as Field>::KIND,
                example: $example,
                $($key: Some($value),)*
                ..Setting::UNDECLARED
            }),+];

            fn read(source: Source<'_>) -> Result<Self, Failure> {
                let mut settings = Self::SETTINGS.iter();
                let mut next = || settings.next().expect("there is one for each field");
                Ok(Self { $($field: source.read(next())?,)+ })
            }
        }
    };
}
