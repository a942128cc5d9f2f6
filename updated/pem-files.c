#include <fcntl.h>

#include "base/io.h"
#include "base/text.h"
#include "pem-files.h"

int pem_append_file(const char *root, const char *path, size_t max, Buffer *pem)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, path, max, &text, NULL);
        if (r < 0)
                return r;

        r = buffer_append_text(pem, text);
        return r < 0 ? r : buffer_append_text(pem, "\n");
}

int pem_append_directory(const char *root, const char *path, size_t max, Buffer *pem)
{
        _cleanup_close_ int fd = root_open(root, path, O_RDONLY | O_DIRECTORY, 0);
        _cleanup_(text_list_done) TextList names = {};
        int r = fd < 0 ? fd : directory_names(fd, "*.pem", &names);

        for (size_t i = 0; i < names.n_items && r >= 0; i++) {
                _cleanup_free_ char *file = NULL;

                r = text_format(&file, "%s/%s", path, names.items[i]);
                if (r >= 0)
                        r = pem_append_file(root, file, max, pem);
        }
        return r;
}
