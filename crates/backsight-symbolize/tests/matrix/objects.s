# Code that is called an object, as node's is; a function and a label in it, and one that
# has no size.
        .text
        nop
        .globl  blob
        .type   blob, @object
blob:
        nop
        .globl  within
        .type   within, @function
within:
        nop
        ret
        .size   within, . - within
        nop
        .globl  label_within
label_within:
        nop
        ret
        .size   blob, . - blob
        nop
        .globl  same
        .type   same, @object
        .globl  same_function
        .type   same_function, @function
same:
same_function:
        nop
        ret
        .size   same, . - same
        .size   same_function, . - same_function
        .globl  unsized_object
        .type   unsized_object, @object
unsized_object:
        nop
        ret
        .globl  last
        .type   last, @object
last:
        nop
        ret
        .size   last, . - last
