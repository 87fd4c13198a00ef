# Sized functions, labels without a size in and between them, an object in the code.
        .text
        .globl  label_first
label_first:
        nop
        nop
        .globl  sized
        .type   sized, @function
sized:
        nop
        .globl  label_inside
label_inside:
        nop
        ret
        .size   sized, . - sized
        nop
        nop
        .globl  label_between
label_between:
        nop
        nop
        .type   outer, @function
        .globl  outer
outer:
        nop
        .type   inner, @function
inner:
        nop
        .size   inner, . - inner
        ret
        .size   outer, . - outer
        .globl  untold
        .type   untold, @function
untold:
        nop
        ret
        .type   table, @object
table:
        .long   1, 2
        .size   table, . - table
        nop
        .section .text.other, "ax"
        nop
        .globl  label_last
label_last:
        nop
        ret
