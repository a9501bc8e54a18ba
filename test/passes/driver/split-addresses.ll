; RUN: boostr-test-split-addresses %s | FileCheck %s

; What does not change in the loop becomes an address of its own, which can be hoisted.

; CHECK-LABEL: define float @sum(
; CHECK:       loop:
; CHECK:         %[[BASE:.*]] = getelementptr float, ptr %x, i64 %row
; CHECK-NEXT:    %[[ADDRESS:.*]] = getelementptr float, ptr %[[BASE]], i64 %i
; CHECK-NEXT:    load float, ptr %[[ADDRESS]]
define float @sum(ptr %x, i64 %row, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %total = phi float [ 0.0, %entry ], [ %more, %loop ]
  %index = add i64 %i, %row
  %address = getelementptr inbounds float, ptr %x, i64 %index
  %value = load float, ptr %address
  %more = fadd float %total, %value
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %exit
exit:
  ret float %more
}

; Sums of sums: all terms that change on one side. The unit is that of the address.

; CHECK-LABEL: define void @terms(
; CHECK:         %[[SAME:.*]] = add i64 %{{a|b}}, %{{a|b}}
; CHECK-NEXT:    %[[BASE:.*]] = getelementptr i16, ptr %x, i64 %[[SAME]]
; CHECK-NEXT:    %[[OTHER:.*]] = add i64 %{{i|twice}}, %{{i|twice}}
; CHECK-NEXT:    %[[ADDRESS:.*]] = getelementptr i16, ptr %[[BASE]], i64 %[[OTHER]]
; CHECK-NEXT:    store i16 0, ptr %[[ADDRESS]]
define void @terms(ptr %x, i64 %a, i64 %b, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %twice = shl i64 %i, 1
  %s0 = add i64 %i, %a
  %s1 = add i64 %twice, %b
  %index = add i64 %s0, %s1
  %address = getelementptr i16, ptr %x, i64 %index
  store i16 0, ptr %address
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %exit
exit:
  ret void
}

; Of nested loops the innermost counts: %i does not change there.

; CHECK-LABEL: define void @nest(
; CHECK:       inner:
; CHECK:         %[[BASE:.*]] = getelementptr float, ptr %x, i64 %i
; CHECK-NEXT:    %[[ADDRESS:.*]] = getelementptr float, ptr %[[BASE]], i64 %j
; CHECK-NEXT:    store float 0.{{0*}}e+00, ptr %[[ADDRESS]]
define void @nest(ptr %x, i64 %n) {
entry:
  br label %outer
outer:
  %i = phi i64 [ 0, %entry ], [ %i1, %latch ]
  br label %inner
inner:
  %j = phi i64 [ 0, %outer ], [ %j1, %inner ]
  %index = add i64 %i, %j
  %address = getelementptr float, ptr %x, i64 %index
  store float 0.0, ptr %address
  %j1 = add i64 %j, 1
  %more = icmp ult i64 %j1, %n
  br i1 %more, label %inner, label %latch
latch:
  %i1 = add i64 %i, 1
  %again = icmp ult i64 %i1, %n
  br i1 %again, label %outer, label %exit
exit:
  ret void
}

; A sum with another use is there anyway; it counts as one term.

; CHECK-LABEL: define void @untouched_shared_sum(
; CHECK:         %index = add i64 %i, %row
; CHECK-NEXT:    %address = getelementptr i64, ptr %x, i64 %index
; CHECK-NEXT:    store i64 %index, ptr %address
define void @untouched_shared_sum(ptr %x, i64 %row, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %index = add i64 %i, %row
  %address = getelementptr i64, ptr %x, i64 %index
  store i64 %index, ptr %address
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %exit
exit:
  ret void
}

; Nothing that changes, and nothing that does not.

; CHECK-LABEL: define void @untouched_one_kind(
; CHECK:         %same = add i64 %row, %n
; CHECK-NEXT:    %first = getelementptr float, ptr %x, i64 %same
; CHECK:         %other = add i64 %i, %twice
; CHECK-NEXT:    %second = getelementptr float, ptr %x, i64 %other
define void @untouched_one_kind(ptr %x, i64 %row, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %same = add i64 %row, %n
  %first = getelementptr float, ptr %x, i64 %same
  store float 0.0, ptr %first
  %twice = shl i64 %i, 1
  %other = add i64 %i, %twice
  %second = getelementptr float, ptr %x, i64 %other
  store float 0.0, ptr %second
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %exit
exit:
  ret void
}

; A pointer that changes, several indices, vectors of addresses.

; CHECK-LABEL: define void @untouched_forms(
; CHECK:         %moving = getelementptr float, ptr %p, i64 %index
; CHECK:         %row2 = add i64 %i, %row
; CHECK-NEXT:    %element = getelementptr [4 x float], ptr %x, i64 %row2, i64 1
; CHECK:         %many = getelementptr float, ptr %x, <2 x i64> %indices
define void @untouched_forms(ptr %x, i64 %row, <2 x i64> %rows, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p = phi ptr [ %x, %entry ], [ %p1, %loop ]
  %index = add i64 %i, %row
  %moving = getelementptr float, ptr %p, i64 %index
  store float 0.0, ptr %moving
  %row2 = add i64 %i, %row
  %element = getelementptr [4 x float], ptr %x, i64 %row2, i64 1
  store float 0.0, ptr %element
  %is = insertelement <2 x i64> %rows, i64 %i, i64 0
  %indices = add <2 x i64> %is, %rows
  %many = getelementptr float, ptr %x, <2 x i64> %indices
  %one = extractelement <2 x ptr> %many, i64 0
  store float 0.0, ptr %one
  %p1 = getelementptr float, ptr %p, i64 3
  %next = add i64 %i, 1
  %again = icmp ult i64 %next, %n
  br i1 %again, label %loop, label %exit
exit:
  ret void
}

; Outside of loops there is nowhere to hoist to.

; CHECK-LABEL: define void @untouched_straight_line(
; CHECK:         %index = add i64 %i, %row
; CHECK-NEXT:    %address = getelementptr float, ptr %x, i64 %index
define void @untouched_straight_line(ptr %x, i64 %row, i64 %i) {
  %index = add i64 %i, %row
  %address = getelementptr float, ptr %x, i64 %index
  store float 0.0, ptr %address
  ret void
}
