//! `crate = …` finds the crate where it is re-exported.

#![deny(warnings)]

pub mod facade {
    pub use debug_async as inner;
}

mod user {
    #[crate::facade::inner::tracked(crate = crate::facade::inner)]
    pub async fn path() -> u8 {
        1
    }

    #[crate::facade::inner::tracked(crate = "crate::facade::inner")]
    pub mod string {
        pub async fn path() -> u8 {
            2
        }

        // Handed on, with the path, to an attribute behind this one.
        #[cfg_attr(all(), expect(unused_variables))]
        pub async fn put_off() -> u8 {
            let unused = 0;
            3
        }
    }
}

#[facade::inner::main(crate = "facade::inner")]
async fn main() {
    assert_eq!(user::path().await, 1);
    assert_eq!(user::string::path().await, 2);
    assert_eq!(user::string::put_off().await, 3);
}
