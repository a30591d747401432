// The first process of a task's namespaces: does nothing until it is told to end. No library, no memory of its own.
// longshore.agent.pause_program holds what this assembles to; a test compares the two.
        .globl _start
        .text
_start:
        // rt_sigaction(SIGCHLD, &ignore, NULL, 8): what it inherits as the first process of a shared process namespace is
        // reaped by the kernel.
        mov     x8, #134
        mov     x0, #17
        adr     x1, ignore
        mov     x2, #0
        mov     x3, #8
        svc     #0
        // rt_sigprocmask(SIG_BLOCK, &ending, NULL, 8): the kernel drops signals for a first process that handles none, but not
        // those that it waits for.
        mov     x8, #135
        mov     x0, #0
        adr     x1, ending
        mov     x2, #0
        mov     x3, #8
        svc     #0
wait:
        // rt_sigtimedwait(&ending, NULL, NULL, 8)
        mov     x8, #137
        adr     x0, ending
        mov     x1, #0
        mov     x2, #0
        mov     x3, #8
        svc     #0
        tbnz    w0, #31, wait
        // exit_group(0)
        mov     x8, #94
        mov     x0, #0
        svc     #0
        .balign 8
ignore: // struct sigaction: SIG_IGN, SA_NOCLDWAIT, no restorer, empty mask
        .quad   1, 2, 0, 0
ending: // SIGTERM and SIGINT
        .quad   (1 << (15 - 1)) | (1 << (2 - 1))
