# The first process of a task's namespaces: does nothing until it is told to end. No library, no memory of its own.
# longshore.agent.pause_program holds what this assembles to; a test compares the two.
        .intel_syntax noprefix
        .globl _start
        .text
_start:
        # rt_sigaction(SIGCHLD, &ignore, NULL, 8): what it inherits as the first process of a shared process namespace is
        # reaped by the kernel.
        mov     eax, 13
        mov     edi, 17
        lea     rsi, ignore[rip]
        xor     edx, edx
        mov     r10d, 8
        syscall
        # rt_sigprocmask(SIG_BLOCK, &ending, NULL, 8): the kernel drops signals for a first process that handles none, but not
        # those that it waits for.
        mov     eax, 14
        xor     edi, edi
        lea     rsi, ending[rip]
        xor     edx, edx
        mov     r10d, 8
        syscall
wait:
        # rt_sigtimedwait(&ending, NULL, NULL, 8)
        mov     eax, 128
        lea     rdi, ending[rip]
        xor     esi, esi
        xor     edx, edx
        mov     r10d, 8
        syscall
        test    eax, eax
        js      wait
        # exit_group(0)
        mov     eax, 231
        xor     edi, edi
        syscall
        .balign 8
ignore: # struct sigaction: SIG_IGN, SA_NOCLDWAIT, no restorer, empty mask
        .quad   1, 2, 0, 0
ending: # SIGTERM and SIGINT
        .quad   (1 << (15 - 1)) | (1 << (2 - 1))
