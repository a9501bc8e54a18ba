// The tiles that tiling-execution.mlir computes: each function marked
// `tile = "<name>"` is tiled in the way of that name. No size divides the extents.
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %tokens = transform.structured.match ops{["func.func"]} attributes{tile = "tokens"} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.foreach %tokens : !transform.any_op {
    ^bb0(%function: !transform.any_op):
      %op = transform.structured.match interface{TilingInterface} in %function
          : (!transform.any_op) -> !transform.any_op
      %tiled, %loops = transform.structured.tile_using_forall %op tile_sizes [1, 2, 0]
          : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    }

    %heads = transform.structured.match ops{["func.func"]} attributes{tile = "heads"} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.foreach %heads : !transform.any_op {
    ^bb0(%function: !transform.any_op):
      %op = transform.structured.match interface{TilingInterface} in %function
          : (!transform.any_op) -> !transform.any_op
      %tiled, %loops:2 = transform.structured.tile_using_for %op tile_sizes [0, 3, 2]
          : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    }

    %threads = transform.structured.match ops{["func.func"]} attributes{tile = "threads"} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.foreach %threads : !transform.any_op {
    ^bb0(%function: !transform.any_op):
      %op = transform.structured.match interface{TilingInterface} in %function
          : (!transform.any_op) -> !transform.any_op
      %tiled, %loops = transform.structured.tile_using_forall %op num_threads [2, 3, 2]
          : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    }

    %columns = transform.structured.match ops{["func.func"]} attributes{tile = "columns"} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.foreach %columns : !transform.any_op {
    ^bb0(%function: !transform.any_op):
      %op = transform.structured.match interface{TilingInterface} in %function
          : (!transform.any_op) -> !transform.any_op
      %tiled, %loops = transform.structured.tile_using_for %op tile_sizes [3]
          : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    }

    // Fuses what the consumer reads into its tiles.
    %fuse = transform.structured.match ops{["func.func"]} attributes{tile = "fuse"} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.foreach %fuse : !transform.any_op {
    ^bb0(%function: !transform.any_op):
      %op = transform.structured.match ops{["linalg.abs"]} in %function
          : (!transform.any_op) -> !transform.any_op
      %tiled, %loops:3 = transform.structured.fuse %op tile_sizes [1, 1, 2, 0]
          : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op,
             !transform.any_op)
    }

    transform.yield
  }
}
