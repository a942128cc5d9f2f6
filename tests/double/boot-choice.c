/* Prints what a boot loader chooses, by the rule of the doubles, and takes the try away: for tests in Python. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "double/boot-bls.h"
#include "double/boot-grub.h"

#define FILES_MAX 64

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

/* The entries of one directory, and what is in them. */
static size_t directory_read(const char *boot, const char *name, BootBlsFile *files, size_t n)
{
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        DIR *directory;

        if (text_format(&path, "%s/%s", boot, name) < 0)
                return n;
        directory = opendir(path);
        while (directory && n < FILES_MAX && (entry = readdir(directory))) {
                _cleanup_free_ char *full = NULL;
                char *file, *data;
                size_t size;

                if (entry->d_name[0] == '.' || text_format(&full, "%s/%s", path, entry->d_name) < 0
                    || file_read(NULL, full, 64 * MIB, &data, &size) < 0
                    || text_format(&file, "%s/%s", name, entry->d_name) < 0)
                        continue;
                files[n++] = (BootBlsFile) { file, data, size };
        }
        if (directory)
                (void)closedir(directory);
        return n;
}

static int choose_from(const char *boot, const BootBlsFile *files, size_t n)
{
        _cleanup_free_ char *from = NULL, *to = NULL;
        BootBlsEntry entry;
        int r;

        r = boot_bls_choose(files, n, &entry);
        if (r < 0)
                return r;
        printf("%s %s\n", entry.file->name, entry.kernel);
        if (!*entry.counted_down)
                return 0;
        if (text_format(&from, "%s/%s", boot, entry.file->name) < 0
            || text_format(&to, "%s/%s", boot, entry.counted_down) < 0)
                return -ENOMEM;
        return RET_ERRNO(rename(from, to));
}

static int choose_bls(const char *boot)
{
        BootBlsFile files[FILES_MAX];
        size_t n;
        int r;

        n = directory_read(boot, "loader/entries", files, 0);
        n = directory_read(boot, "EFI/Linux", files, n);
        r = choose_from(boot, files, n);
        for (size_t i = 0; i < n; i++) {
                free((char *)files[i].name);
                free((void *)files[i].data);
        }
        return r;
}

int main(int argc, char **argv)
{
        int r = argc == 3 && streq(argv[1], "grub")  ? choose_grub(argv[2])
                : argc == 3 && streq(argv[1], "bls") ? choose_bls(argv[2])
                                                     : -EINVAL;

        if (r < 0)
                fprintf(stderr, "boot-choice: %s\n", strerror(-r));
        return r < 0 ? EXIT_REFUSED : EXIT_DONE;
}
