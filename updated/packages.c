#include <ctype.h>
#include <fcntl.h>

#include "base/http.h"
#include "base/io.h"
#include "base/log.h"
#include "packages.h"

#define ENDING      ".gz"
#define PREFIX      "flatcar-"
#define OEM_PREFIX  "oem-"
#define SYSEXT_CONF "enabled-sysext.conf"

static const char *const sysext_files[] = {
        "/usr/share/coreos/" SYSEXT_CONF,
        "/usr/share/flatcar/" SYSEXT_CONF,
        "/etc/coreos/" SYSEXT_CONF,
        "/etc/flatcar/" SYSEXT_CONF,
};

bool package_word_is_valid(const char *text)
{
        size_t n = strlen(text);

        return n <= PACKAGE_WORD_MAX && isalnum((unsigned char)*text)
               && strspn(text,
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-~")
                          == n;
}

int package_path(const char *directory, const char *name, const char *version, char **ret)
{
        return text_format(ret, "%s/%s-%s.raw", directory, name, version);
}

int package_path_temporary(const char *directory, const char *name, const char *version, char **ret)
{
        return text_format(ret, "%s/.%s-%s.raw.part", directory, name, version);
}

static void wish_done(PackageWish *wish)
{
        free(wish->name);
        free(wish->directory);
}

void package_wishes_done(PackageWishes *wishes)
{
        for (size_t i = 0; i < wishes->n_items; i++)
                wish_done(&wishes->items[i]);
        free(wishes->items);
        *wishes = (PackageWishes) {};
}

static void planned_done(PlannedPackage *package)
{
        free(package->name);
        free(package->directory);
        free(package->version);
        text_list_done(&package->urls);
        *package = (PlannedPackage) {};
}

void package_plan_done(PackagePlan *plan)
{
        for (size_t i = 0; i < plan->n_items; i++)
                planned_done(&plan->items[i]);
        free(plan->items);
        *plan = (PackagePlan) {};
}

/* Takes the wish over, also when it fails. */
static int wishes_add(PackageWishes *wishes, PackageWish *wish)
{
        PackageWish *grown = NULL;

        if (wishes->n_items < PACKAGES_MAX)
                grown = reallocarray(wishes->items, wishes->n_items + 1, sizeof(PackageWish));
        if (!grown) {
                wish_done(wish);
                return wishes->n_items < PACKAGES_MAX ? -ENOMEM : -E2BIG;
        }

        wishes->items = grown;
        wishes->items[wishes->n_items++] = *wish;
        return 0;
}

/* Returns 1, 0, or -errno: what can not be told is not taken for missing. */
static int file_is_there(const char *root, const char *path)
{
        _cleanup_close_ int fd = root_open(root, path, O_PATH, 0);

        return fd >= 0 ? 1 : fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
}

static bool list_has(const TextList *list, const char *text)
{
        for (size_t i = 0; i < list->n_items; i++)
                if (streq(list->items[i], text))
                        return true;
        return false;
}

/* One name a line, '#' begins a comment, "-name" says that it is not wanted. */
static int sysext_take_line(const char *path, char *line, TextList *wanted, TextList *unwanted)
{
        const char *name;
        bool minus;

        line[strcspn(line, "#")] = 0;
        line = text_strip(line);
        minus = *line == '-';
        name = line + minus;
        if (!*line)
                return 0;
        if (!package_word_is_valid(name)) {
                text_make_plain(line);
                log_warning("%s: \"%s\" is no name of an extension; it is ignored", path, line);
                return 0;
        }

        if (minus)
                return text_list_add(unwanted, name);
        return list_has(wanted, name) ? 0 : text_list_add(wanted, name);
}

static int sysext_read(const char *root, const char *path, TextList *wanted, TextList *unwanted)
{
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        int r;

        r = file_read(root, path, IO_SMALL_FILE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        rest = text;
        while ((line = strsep(&rest, "\n"))) {
                r = sysext_take_line(path, line, wanted, unwanted);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int wishes_add_sysexts(PackageWishes *wishes, const char *root, const Config *config)
{
        _cleanup_(text_list_done) TextList wanted = {}, unwanted = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(sysext_files) && r >= 0; i++)
                r = sysext_read(root, sysext_files[i], &wanted, &unwanted);

        for (size_t i = 0; i < wanted.n_items && r >= 0; i++) {
                PackageWish wish = { .needed = true };

                if (list_has(&unwanted, wanted.items[i]))
                        continue;
                r = text_format(&wish.name, PREFIX "%s", wanted.items[i]);
                if (r >= 0)
                        r = text_set(&wish.directory, config->sysext_directory);
                if (r >= 0)
                        r = wishes_add(wishes, &wish);
                else
                        wish_done(&wish);
        }
        return r;
}

static int oem_directory(const char *root, const Config *config, char **ret)
{
        int there = config->oem_sysext_directory ? 1 : file_is_there(root, "/oem");

        if (there < 0)
                return there;
        return text_set(ret, config->oem_sysext_directory ? config->oem_sysext_directory
                             : there                      ? PACKAGE_OEM_DIRECTORY
                                                          : PACKAGE_OEM_DIRECTORY_FALLBACK);
}

/* Not every OEM has an image: what the running version has, the next one needs. */
static int wish_fill_oem(const char *root, const Host *host, const Config *config,
                         PackageWish *wish)
{
        _cleanup_free_ char *running = NULL;
        int r;

        r = text_format(&wish->name, OEM_PREFIX "%s", host->oem);
        if (r >= 0)
                r = oem_directory(root, config, &wish->directory);
        if (r >= 0)
                r = package_path(wish->directory, wish->name, host->version, &running);
        if (r >= 0)
                r = file_is_there(root, running);
        wish->needed = r > 0;
        return r < 0 ? r : 0;
}

static int wishes_add_oem(PackageWishes *wishes, const char *root, const Host *host,
                          const Config *config)
{
        PackageWish wish = {};
        int r;

        if (!*host->oem)
                return 0;
        if (!package_word_is_valid(host->oem)) {
                log_warning("the ID of oem-release is no name of a package; none is looked for");
                return 0;
        }

        r = wish_fill_oem(root, host, config, &wish);
        if (r < 0) {
                wish_done(&wish);
                return r;
        }
        return wishes_add(wishes, &wish);
}

int package_wishes_read(const char *root, const Host *host, const Config *config,
                        PackageWishes *ret, UpdateFailure *failure)
{
        _cleanup_(package_wishes_done) PackageWishes wishes = {};
        int r;

        r = host->incomplete ? -EIO : wishes_add_oem(&wishes, root, host, config);
        if (r >= 0)
                r = wishes_add_sysexts(&wishes, root, config);
        if (r == -E2BIG)
                return update_failure_set(failure, r, UPDATE_ERROR_PACKAGE,
                                          SYSEXT_CONF " names more than %d extensions",
                                          PACKAGES_MAX);
        if (r < 0)
                return update_failure_set(
                        failure, r, UPDATE_ERROR_PACKAGE,
                        "which packages this host needs can not be told, so no update begins: %s",
                        host->incomplete ? "a release file can not be read; the log says which"
                                         : strerror(-r));

        *ret = wishes;
        wishes = (PackageWishes) {};
        return 0;
}

/* "oem-qemu.gz" is the package of "oem-qemu". */
static bool package_fits(const OmahaPackage *package, const PackageWish *wish)
{
        size_t n = strlen(wish->name);

        return strncmp(package->name, wish->name, n) == 0 && streq(package->name + n, ENDING);
}

static int package_check(const OmahaResponse *response, const OmahaPackage *package,
                         UpdateFailure *failure)
{
        const char *problem = !package->hashed                ? "is announced without hash_sha256"
                              : package->size > PLAN_FILE_MAX ? "is larger than 8 GiB"
                              : !package_word_is_valid(response->version)
                                      ? "belongs to a version that can not be part of a file name"
                                      : NULL;

        if (problem)
                return update_failure_set(failure, -EBADMSG, UPDATE_ERROR_PACKAGE,
                                          "the answer of the update server: package %s, which this "
                                          "host wants, %s",
                                          package->name, problem);
        return 0;
}

static int planned_fill(const OmahaResponse *response, const OmahaPackage *package,
                        const PackageWish *wish, PlannedPackage *planned)
{
        int r;

        r = text_set(&planned->name, wish->name);
        if (r >= 0)
                r = text_set(&planned->directory, wish->directory);
        if (r >= 0)
                r = text_set(&planned->version, response->version);
        for (size_t i = 0; i < response->urls.n_items && r >= 0; i++)
                r = plan_add_url(&planned->urls, response->urls.items[i], package->name);
        planned->size = package->size;
        memcpy(planned->sha256, package->sha256, SHA256_SIZE);
        return r;
}

/* The first package is the operating system, whatever its name. NULL: it is not in the answer. */
static const OmahaPackage *package_find(const OmahaResponse *response, const PackageWish *wish,
                                        bool *ret_several)
{
        const OmahaPackage *found = NULL;

        *ret_several = false;
        for (size_t i = 1; i < response->n_packages; i++) {
                if (!package_fits(&response->packages[i], wish))
                        continue;
                *ret_several = found;
                found = &response->packages[i];
        }
        return found;
}

static int plan_add_wish(const OmahaResponse *response, const PackageWish *wish, PackagePlan *plan,
                         UpdateFailure *failure)
{
        const OmahaPackage *package;
        bool several;
        int r;

        package = package_find(response, wish, &several);
        if (!package && !wish->needed)
                return 0;
        if (!package || several)
                return update_failure_set(
                        failure, -EBADMSG, UPDATE_ERROR_PACKAGE,
                        several ? "the answer of the update server has several packages %s" ENDING
                                : "the new version comes without package %s" ENDING
                                  ", and this host uses it; put it beside the payload on the "
                                  "update server, or take it out of " SYSEXT_CONF,
                        wish->name);
        r = package_check(response, package, failure);
        if (r >= 0)
                r = planned_fill(response, package, wish, &plan->items[plan->n_items++]);
        if (r >= 0 && !add_u64(plan->size, package->size, &plan->size))
                r = -EOVERFLOW;
        return r;
}

int packages_plan(const OmahaResponse *response, const PackageWishes *wishes, PackagePlan *ret,
                  UpdateFailure *failure)
{
        _cleanup_(package_plan_done) PackagePlan plan = {
                .failures_per_url = response->failures_per_url,
        };
        int r;

        plan.items = calloc(MAX_OF(wishes->n_items, (size_t)1), sizeof(PlannedPackage));
        if (!plan.items)
                return -ENOMEM;
        for (size_t i = 0; i < wishes->n_items; i++) {
                r = plan_add_wish(response, &wishes->items[i], &plan, failure);
                if (r < 0)
                        return r;
        }

        *ret = plan;
        plan = (PackagePlan) {};
        return 0;
}
