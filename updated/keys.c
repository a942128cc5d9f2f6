#include "keys.h"
#include "pem-files.h"
#include "worker.h"

int keys_read(const char *root, char **ret, UpdateFailure *failure)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_MAX(WORKER_KEYS_MAX);
        int r;

        r = pem_append_file(root, KEYS_FILE, KEYS_FILE_MAX, &pem);
        if (r >= 0 || r == -ENOENT)
                r = pem_append_directory(root, KEYS_DIRECTORY, KEYS_FILE_MAX, &pem);
        if (r < 0 && r != -ENOENT)
                return update_failure_set(failure, r, UPDATE_ERROR_KEYS,
                                          "reading the trusted keys in " KEYS_FILE
                                          " and " KEYS_DIRECTORY ": %s",
                                          strerror(-r));
        if (pem.size == 0)
                return update_failure_set(failure, -ENOKEY, UPDATE_ERROR_KEYS,
                                          "this host trusts no key: there is neither " KEYS_FILE
                                          " nor a *.pem in " KEYS_DIRECTORY
                                          "; nothing unsigned is ever installed");

        return buffer_take_text(&pem, ret, NULL);
}
