/* Prints what a boot loader chooses, by the rule of the doubles, and takes the try away: for tests in Python. */
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/program.h"
#include "double/boot-grub.h"

static int choose_grub(const char *path)
{
        _cleanup_free_ char *env = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;
        int r;

        r = file_read(NULL, path, BOOT_GRUBENV_SIZE, &env, &size);
        if (r < 0 || size != BOOT_GRUBENV_SIZE)
                return -EBADMSG;
        r = boot_grub_choose(env);
        if (r < 0)
                return r;
        printf("%c\n", r);

        fd = root_open(NULL, path, O_WRONLY, 0);
        return fd < 0 ? fd : pwrite_full(fd, env, size, 0);
}

int main(int argc, char **argv)
{
        int r = argc == 3 && streq(argv[1], "grub") ? choose_grub(argv[2]) : -EINVAL;

        if (r < 0)
                fprintf(stderr, "boot-choice: %s\n", strerror(-r));
        return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}
