/* core/cgroup.c - /proc/self/cgroup, and the trees under /sys/fs/cgroup. */
#include "core/cgroup.h"
#include "core/file.h"

#include <stdio.h>
#include <string.h>

int orr_cgroup_line(const char *folder, const char *name, char line[64])
{
    char path[ORR_PATH_MAX];
    FILE *f = snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path
                  ? fopen(path, "re")
                  : NULL;
    int got;

    if (!f) return 0;
    got = fgets(line, 64, f) != NULL;
    fclose(f);
    if (got) line[strcspn(line, "\n")] = '\0';
    return got;
}

typedef struct {
    const char *root, *controller;
    orr_cgroup_look look;
    void *ctx;
} walk;

/* The group in a tree, and its parents up to the tree's top. */
static void climb(const walk *w, const char *tree, const char *group, int is_old)
{
    char dir[ORR_PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s/sys/fs/cgroup%s%s", w->root, tree, group);
    size_t top = strlen(w->root) + strlen("/sys/fs/cgroup") + strlen(tree);

    if (n >= (int)sizeof dir) return;
    for (;;) {
        char *slash;

        w->look(w->ctx, dir, is_old);
        slash = strrchr(dir + top, '/');
        if (!slash) return;
        *slash = '\0';
    }
}

/* Is the controller in a list like "cpu,cpuacct"? */
static int is_among(const char *controller, const char *names)
{
    size_t n = strlen(controller);

    for (const char *p = names; (p = strstr(p, controller)); p += n)
        if ((p == names || p[-1] == ',') && (p[n] == ',' || p[n] == '\0')) return 1;
    return 0;
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/job/step"; version 2 has "0::/job/step". */
static void take_line(const walk *w, char *line)
{
    char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
    char tree[300];

    if (!group) return;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    names++;
    if (*names == '\0') {
        climb(w, "", group, 0);
        climb(w, "/unified", group, 0);
    } else if (is_among(w->controller, names)) {
        if (snprintf(tree, sizeof tree, "/%s", names) < (int)sizeof tree) climb(w, tree, group, 1);
        if (strcmp(names, w->controller) == 0) return;
        if (snprintf(tree, sizeof tree, "/%s", w->controller) < (int)sizeof tree)
            climb(w, tree, group, 1);
    }
}

void orr_cgroup_each(const char *root, const char *controller, orr_cgroup_look look, void *ctx)
{
    const walk w = { root, controller, look, ctx };
    char path[ORR_PATH_MAX], line[ORR_PATH_MAX];
    FILE *f;

    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path) return;
    if (!(f = fopen(path, "re"))) return;
    while (fgets(line, sizeof line, f))
        take_line(&w, line);
    fclose(f);
}
