//! The gRPC service of `src/programs/grpc.rs`, described here rather than in a `.proto`:
//! that would take `protoc`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str, input: &str, output: &str| {
        let path = |message| format!("crate::programs::grpc::{message}");
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(path(input))
            .output_type(path(output))
            .codec_path("tonic_prost::ProstCodec")
    };
    let ledger = Service::builder()
        .name("Ledger")
        .package("proof")
        .method(method("book", "Book", "Entry", "Balance").build())
        .method(
            method("statement", "Statement", "Account", "Entry")
                .server_streaming()
                .build(),
        )
        .method(
            method("import", "Import", "Entry", "Balance")
                .client_streaming()
                .build(),
        )
        .method(
            method("trade", "Trade", "Entry", "Balance")
                .client_streaming()
                .server_streaming()
                .build(),
        )
        .build();
    Builder::new().compile(&[ledger]);
}
